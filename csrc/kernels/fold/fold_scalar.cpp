#include "kernels/fold/fold_generic.h"
