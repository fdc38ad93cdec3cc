#include "kernels/qgemm/qgemm_f32_generic.h"
#include "kernels/qgemm/qgemm_q8_generic.h"
