#include "kernels/image/image_generic.h"
