#include "kernels/elementwise/typed_generic.h"
