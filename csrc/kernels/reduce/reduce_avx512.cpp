#include "kernels/reduce/reduce_generic.h"
