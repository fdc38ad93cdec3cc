#include "kernels/pool/pool_bf16_generic.h"
#include "kernels/pool/pool_bytes_generic.h"
#include "kernels/pool/pool_generic.h"
