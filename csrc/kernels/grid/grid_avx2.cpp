#include "kernels/grid/grid_generic.h"
