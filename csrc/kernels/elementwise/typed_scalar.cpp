// Loops over contiguous runs are written out: the compiler need not add them to the others.
#pragma GCC optimize("no-version-loops-for-strides")
#include "kernels/elementwise/typed_generic.h"
