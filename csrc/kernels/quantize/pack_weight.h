#pragma once
#include "base/op.h"

namespace hades {

// pack_weight(values, scales?) -> packed uint8; attributes format, matrices, n, k and gate_up, 1
// where rows 2 j and 2 j + 1 are to lie 16 rows apart (gate and up of a SwiGLU).
Status bind_pack_weight(const OpDesc& desc, BoundOp* bound);

}  // namespace hades
