#pragma once
#include "base/op.h"

namespace hades {

// The attribute `value` as the bytes of one element of that dtype, in the low end of the result.
uint64_t encode_element(DType dtype, const Attributes& attributes, const char* name);

// "<prefix><size of dtype>": kernels that only move bytes are named by element size.
const char* sized_name(const char* const (&names)[4], DType dtype);

}  // namespace hades
