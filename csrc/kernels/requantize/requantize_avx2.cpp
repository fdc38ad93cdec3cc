#include "kernels/requantize/requantize_generic.h"
#include "kernels/requantize/requantize_vectors.h"
