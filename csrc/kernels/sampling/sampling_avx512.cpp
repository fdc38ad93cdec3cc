#include "kernels/sampling/sampling_generic.h"
