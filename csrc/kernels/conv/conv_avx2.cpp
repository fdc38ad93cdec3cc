#include "kernels/conv/depthwise_generic.h"
#include "kernels/conv/direct_generic.h"
#include "kernels/conv/dot_generic.h"
#include "kernels/conv/winograd_generic.h"
