#include "runtime/roof_generic.h"
