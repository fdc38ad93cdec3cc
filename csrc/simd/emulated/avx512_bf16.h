#pragma once
#include "base/float16.h"
#include "simd/emulated/lanes.h"

// The instructions of BF16 as they are defined: the plain twins of the assembly in bf16_products.h.
namespace hades::HADES_ISA::emulated {

// Denormal numbers count as zero.
HADES_INLINE float flushed(float a) {
    return (bits_of(a) & 0x7f800000u) == 0 ? float_of(bits_of(a) & 0x80000000u) : a;
}

HADES_INLINE __m512 dpbf16(__m512 sums, __m512i a, __m512i b) {
    auto total = lanes_of<float>(sums);
    const auto x = lanes_of<uint16_t>(a), y = lanes_of<uint16_t>(b);
    const auto add = [&](int i, int element) {
        const float factor = flushed(to_float(BFloat16{x.v[element]}));
        const float other = flushed(to_float(BFloat16{y.v[element]}));
        total.v[i] = flushed(__builtin_fmaf(factor, other, flushed(total.v[i])));
    };
    for (int i = 0; i < 16; ++i) add(i, 2 * i + 1), add(i, 2 * i);
    return vector_of<__m512>(total);
}

HADES_INLINE __m256i cvtneps_pbh(__m512 a) {
    const auto from = lanes_of<float>(a);
    Lanes<uint16_t, 16> to;
    for (int i = 0; i < 16; ++i) to.v[i] = to_bfloat16(flushed(from.v[i])).bits;
    return vector_of<__m256i>(to);
}

}  // namespace hades::HADES_ISA::emulated
