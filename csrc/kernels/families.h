#pragma once
#include "base/registry.h"

namespace hades {

#define HADES_FAMILY(name) Family name##_family();
#include "kernels/families.inc"
#undef HADES_FAMILY

}  // namespace hades
