#include "kernels/roi/roi_generic.h"
