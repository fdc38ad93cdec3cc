#include "kernels/deform/deform_generic.h"
