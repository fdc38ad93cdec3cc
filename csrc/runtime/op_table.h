#pragma once
#include <vector>

#include "base/registry.h"

namespace hades {

// All kernel families of this build.
std::vector<Family>& families();

// Whether this build has a kernel that was written for the tier.
bool has_kernels(const Tier& tier);

// Finds the operator by name and binds it. The message names the operator.
Status bind(const OpDesc& desc, BoundOp* bound);

}  // namespace hades
