#pragma once
#include "base/op.h"
#include "base/operand_shapes.h"
#include "formats/weight_format.h"

namespace hades {

// Reads the attribute `name`, a weight format.
Status read_weight_format(const OpDesc& desc, const char* name, WeightFormat* format);

// Whether a tensor is `matrices` packed matrices [n, k], uint8 and contiguous.
bool is_packed_weight(const Tensor& t, WeightFormat format, int64_t matrices, int64_t n, int64_t k);

// Rows of activations that enter a matrix product: uint8 q8 rows, or uint16 bfloat16 [rows, k].
struct ActivationRows {
    bool is_q8;
    int64_t row_bytes;
};
Status check_activation_rows(const OpDesc& desc, const Tensor& a, int64_t k, ActivationRows* rows);

// k bfloat16 to float32.
void widen_bf16(const uint16_t* from, float* to, int64_t k);

}  // namespace hades
