#include "kernels/cutout/cutout_generic.h"
