#pragma once
#include "base/op.h"

namespace hades {

// Runs one bound operator on the calling thread.
void run_serial(const BoundOp& bound, void* const* operands);

}  // namespace hades
