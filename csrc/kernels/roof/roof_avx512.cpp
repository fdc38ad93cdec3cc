#include "kernels/roof/roof_generic.h"
