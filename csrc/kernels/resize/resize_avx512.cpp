#include "kernels/resize/resize_generic.h"
