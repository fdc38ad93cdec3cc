#include "kernels/roof/dot_generic.h"
#include "kernels/roof/roof_generic.h"
