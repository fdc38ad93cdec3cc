#include "kernels/layout/layout_generic.h"
