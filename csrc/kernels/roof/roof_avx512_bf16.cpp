#include "kernels/roof/dot_bf16_generic.h"
