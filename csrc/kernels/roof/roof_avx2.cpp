#include "kernels/roof/dot_bf16_generic.h"
#include "kernels/roof/dot_generic.h"
#include "kernels/roof/roof_generic.h"
