#pragma once
#include "formats/q8_row.h"
#include "simd/bytes.h"

// Quantisation of activations, see formats/q8_row.h.
namespace hades::HADES_ISA {

// 2^e, the smallest with largest <= 127 * 2^e, e >= -100. 127 * 2^e is just below 2^(e + 7): from
// there on the next power is needed, which adding the distance to the exponent finds.
HADES_INLINE float q8_scale(float largest) {
    constexpr uint32_t kDistance = 0x1ffff;  // of 127/64 to the float below 2, in ulp
    const uint32_t exponent = (bits_of(largest) + kDistance) >> 23;
    return float_of((exponent < 33 ? 27 : exponent - 6) << 23);
}

// One block of 32: values, scale and sum.
HADES_INLINE void quantize_block(const float* x, int8_t* values, float* scale, int32_t* sum_of) {
    F32 largest = zero();
    for (int i = 0; i < kBlock; i += kLanes) largest = max(largest, abs(load(x + i)));
    *scale = q8_scale(max_of(largest));
    const F32 inverse = set1(1.0f / *scale);
    F32 total = zero();
    for (int i = 0; i < kBlock; i += kLanes) {
        const F32 whole = round_even(load(x + i) * inverse);
        total = total + whole;  // exact: below 2^13
        store_i8(values + i, whole);
    }
    *sum_of = static_cast<int32_t>(sum(total));
}

HADES_INLINE void quantize_row(const float* x, int64_t k, uint8_t* row) {
    for (int64_t b = 0; b < k / kBlock; ++b)
        quantize_block(x + b * kBlock, reinterpret_cast<int8_t*>(row) + b * kBlock,
                       const_cast<float*>(q8_scales(row, k)) + b,
                       const_cast<int32_t*>(q8_sums(row, k)) + b);
}

}  // namespace hades::HADES_ISA
