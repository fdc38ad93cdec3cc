#include "kernels/norm/norm_generic.h"
