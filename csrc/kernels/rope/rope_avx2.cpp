#include "kernels/rope/rope_generic.h"
