#include "kernels/paged_attention/paged_attention_generic.h"
