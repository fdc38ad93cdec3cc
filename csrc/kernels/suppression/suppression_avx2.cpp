#include "kernels/suppression/suppression_generic.h"
