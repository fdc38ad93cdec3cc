#include "runtime/roof_dot_generic.h"
