#include "kernels/qgemm/qgemm_f32_generic.h"
