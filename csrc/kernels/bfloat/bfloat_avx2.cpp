#include "kernels/bfloat/bfloat_generic.h"
