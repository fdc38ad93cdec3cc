#include "kernels/gemm/gemm_generic.h"
