#pragma once
#include "base/op.h"
#include "kernels/gemm/typed.h"

namespace hades {

// Binds matmul(a [b1,b2,m,k], b [b1,b2,k,n]) -> y to a kernel that `find` knows.
Status bind_typed_matmul(const OpDesc& desc, FindTypedRow* find, BoundOp* bound);

}  // namespace hades
