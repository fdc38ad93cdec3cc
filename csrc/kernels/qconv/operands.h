#pragma once
#include "base/op.h"
#include "kernels/qconv/qconv.h"

namespace hades {

// Validates the operands and attributes of qconv2d and gathers them.
Status read_qconv2d(const OpDesc& desc, QconvShape* shape);

// Those of qlinear: a pointwise convolution of one row of m pixels.
Status read_qlinear(const OpDesc& desc, QconvShape* shape);

}  // namespace hades
