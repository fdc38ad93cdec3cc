#include "kernels/qconv/depthwise_generic.h"
#include "kernels/qconv/direct_generic.h"
#include "kernels/qconv/winograd_generic.h"
