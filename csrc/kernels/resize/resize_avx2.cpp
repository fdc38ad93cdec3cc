#include "kernels/resize/resize_bytes_generic.h"
#include "kernels/resize/resize_generic.h"
