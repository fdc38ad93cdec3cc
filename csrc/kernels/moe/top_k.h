#pragma once
#include "base/op.h"

namespace hades {

// top_k(rows, logits [m, n]) -> ids [m, k] int32, weights [m, k]: the k largest and the softmax
// over them.
Status bind_top_k(const OpDesc& desc, BoundOp* bound);

}  // namespace hades
