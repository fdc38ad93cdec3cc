#pragma once
#include "simd/math.h"

// Powers of two, for softmax.
namespace hades::HADES_ISA {

// 2^x in place, x at most 0: within 1.4 * 2^-24 of the result; 0 below 2^-126, and of -infinity.
// NaN stays NaN.
//
// Several vectors step by step: one alone is a chain of latencies so long that a processor does not
// see the next one from its beginning. Adding 1.5 * 2^23 rounds to a whole number, which then
// stands in the lowest bits; with the bias of exponents added too, they need only be shifted into
// place.
template <int n>
HADES_INLINE void exp2_of_negative(F32 (&x)[n]) {
    constexpr float kRounder = 0x1.8p23f + 127.0f;
    constexpr float kPowers[] = {0x1p+0f,        0x1.62e43p-1f,   0x1.ebfbdcp-3f, 0x1.c6aee8p-5f,
                                 0x1.3b2d4cp-7f, 0x1.5f3e52p-10f, 0x1.41fbbcp-13f};
    F32 shifted[n], scale[n], power[n];
    for (int i = 0; i < n; ++i) x[i] = at_least(-127.0f, x[i]);
    for (int i = 0; i < n; ++i) shifted[i] = x[i] + set1(kRounder);
    for (int i = 0; i < n; ++i) x[i] = x[i] - (shifted[i] - set1(kRounder));
    for (int i = 0; i < n; ++i) scale[i] = bits_to_f32(shift_left<23>(f32_to_bits(shifted[i])));
    for (int i = 0; i < n; ++i) power[i] = set1(kPowers[6]);
    for (int k = 5; k >= 0; --k)
        for (int i = 0; i < n; ++i) power[i] = fma(power[i], x[i], set1(kPowers[k]));
    for (int i = 0; i < n; ++i) x[i] = power[i] * scale[i];
}

}  // namespace hades::HADES_ISA
