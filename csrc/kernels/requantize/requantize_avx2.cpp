#include "kernels/requantize/requantize_generic.h"
