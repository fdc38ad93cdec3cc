#pragma once
#include "base/op.h"
#include "kernels/bconv/bconv.h"

namespace hades {

// Validate operands and attributes, and gather them.
Status read_conv2d_bf16(const OpDesc& desc, BconvShape* shape);
Status read_linear_bf16(const OpDesc& desc, BconvShape* shape);

}  // namespace hades
