#include "kernels/bconv/direct_generic.h"
