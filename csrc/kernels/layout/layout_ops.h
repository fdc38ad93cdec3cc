#pragma once
#include "base/registry.h"
#include "kernels/layout/layout.h"

// What the baseline files of this family share.
namespace hades {

// Refuses outputs that have several elements at one address.
Status check_writable(const char* op, const Tensor& y);

PadRow* select_pad_row(DType dtype, IsaMask allowed, const char** kernel_name);

Status bind_pad(const OpDesc& desc, BoundOp* bound);

}  // namespace hades
