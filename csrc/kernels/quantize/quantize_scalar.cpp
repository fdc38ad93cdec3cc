#include "kernels/quantize/quantize_generic.h"
