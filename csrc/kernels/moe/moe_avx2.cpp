#include "kernels/moe/moe_generic.h"
