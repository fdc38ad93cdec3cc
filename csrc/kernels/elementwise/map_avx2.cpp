#include "kernels/elementwise/map_generic.h"
