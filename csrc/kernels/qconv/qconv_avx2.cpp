#include "kernels/qconv/direct_generic.h"
