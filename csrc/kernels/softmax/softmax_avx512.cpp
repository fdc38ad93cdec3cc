#include "kernels/softmax/softmax_generic.h"
