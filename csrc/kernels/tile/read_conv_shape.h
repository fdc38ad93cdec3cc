#pragma once
#include "base/op.h"
#include "kernels/tile/conv_shape.h"

namespace hades {

// What the operands of a convolution are; inputs beyond the weights may be absent.
struct ConvOperands {
    DType x, w, bias;
    size_t inputs, residual;  // how many there are, and which of them is the residual
    DType narrow;             // y and the residual may be of it instead of float32
};

// Validates the operands x, w, bias, residual, y and the attributes of a convolution, and gathers
// them.
Status read_conv_shape(const OpDesc& desc, const ConvOperands& operands, ConvShape* shape);

// A pointwise convolution does not see where rows end: joins them where memory allows.
void join_rows(ConvShape* shape, bool has_residual);

}  // namespace hades
