#pragma once
#include <cstdint>

#include "base/macros.h"
#include "base/rounding.h"
#include "formats/weight_format.h"

// A row of k quantised activations: k int8 in [-127, 127], then per block of 32 a float32 scale,
// then per block the int32 sum of its values. A scale is the smallest power of two under which the
// block fits, but at least 2^-100: with it, results do not depend on how rows are batched, and a
// product of scales is exact.
namespace hades {

HADES_INLINE constexpr int64_t q8_row_bytes(int64_t k) { return round_up(k + k / kBlock * 8, 64); }

// Where scales and sums begin.
HADES_INLINE constexpr int64_t q8_scales_at(int64_t k) { return k; }
HADES_INLINE constexpr int64_t q8_sums_at(int64_t k) { return k + k / kBlock * 4; }

HADES_INLINE const int8_t* q8_values(const uint8_t* row) {
    return reinterpret_cast<const int8_t*>(row);
}
HADES_INLINE const float* q8_scales(const uint8_t* row, int64_t k) {
    return reinterpret_cast<const float*>(row + q8_scales_at(k));
}
HADES_INLINE const int32_t* q8_sums(const uint8_t* row, int64_t k) {
    return reinterpret_cast<const int32_t*>(row + q8_sums_at(k));
}

}  // namespace hades
