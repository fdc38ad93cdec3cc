#include "kernels/qgemm/qgemm_q8_generic.h"
