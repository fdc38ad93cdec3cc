#include "kernels/roof/dot_generic.h"
