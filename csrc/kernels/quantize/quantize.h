#pragma once
#include <cstdint>

// Rows of activations for quantised matrix products: int8 with block scales, or bfloat16.
namespace hades {

struct QuantizeRowArgs {
    const float* x;       // [k]
    const float* weight;  // [k], of the normalisation
    int64_t k;            // a multiple of 32
    float epsilon;
    float* scratch;  // [k], for the normalisation
    uint8_t* q8;     // a q8 row, or nullptr
    uint16_t* bf16;  // [k], or nullptr
};

using QuantizeRow = void(const QuantizeRowArgs&);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/quantize/quantize.inc"
#undef HADES_KERNEL

}  // namespace hades
