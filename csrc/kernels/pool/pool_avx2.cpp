#include "kernels/pool/pool_generic.h"
