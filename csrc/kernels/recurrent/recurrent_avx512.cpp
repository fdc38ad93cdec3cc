#include "kernels/recurrent/recurrent_generic.h"
