#pragma once
#include <string>
#include <vector>

#include "base/op.h"
#include "runtime/team.h"

namespace hades {

// Runs one bound operator now. operands: data pointers of all inputs, then of all outputs; an input
// that the kernel wants packed is packed first, unless `is_packed` says that it already is.
void call(const BoundOp& bound, std::vector<void*> operands, const std::vector<bool>& is_packed,
          Team& team);

}  // namespace hades
