#include "kernels/attention/attention_generic.h"
