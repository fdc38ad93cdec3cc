#pragma once
#include "simd/simd.h"

// Bytes that stand for points of a grid: `zero` stands for 0, a step is 1.
namespace hades::HADES_ISA {

// limit(round_half_even(v) + zero); NaN gives 0. The limits are whole numbers, so that rounding
// after them is the same as before.
HADES_INLINE F32 nearest_point(F32 v, float zero) {
    v = min(max(v, set1(-zero)), set1(255.0f - zero));
    return round_even(v) + set1(zero);
}

HADES_INLINE F32 load_byte_lanes(const uint8_t* p, int lanes) {
    return lanes == kLanes ? load_u8(p) : load_u8_n(p, lanes);
}

HADES_INLINE void store_byte_lanes(uint8_t* p, F32 v, int lanes) {
    if (lanes == kLanes)
        store_u8(p, v);
    else
        store_u8_n(p, v, lanes);
}

}  // namespace hades::HADES_ISA
