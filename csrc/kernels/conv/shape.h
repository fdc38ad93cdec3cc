#pragma once
#include "base/op.h"
#include "kernels/conv/conv.h"

namespace hades {

// Validates the operands and attributes of conv2d and gathers them.
Status read_conv_shape(const OpDesc& desc, ConvShape* shape);

// A pointwise convolution does not see where rows end: joins them where memory allows.
void join_rows(ConvShape* shape, bool has_residual);

}  // namespace hades
