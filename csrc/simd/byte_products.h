#pragma once
#include "simd/bytes.h"

// Products of any unsigned bytes with signed ones.
//
//   dot_bytes(acc, u, s)    acc + sum of 4 products. Where kDotSaturates, the weights s of
//   neighbouring
//                           bytes 2 i and 2 i + 1 must be such that 255 times the sum of those
//                           above zero, or of those below, fits in 16 bits: kDotLimit at most.
namespace hades::HADES_ISA {

#if defined(HADES_TIER_VNNI) || !(defined(HADES_TIER_AVX512) || defined(HADES_TIER_AVX2))

constexpr bool kDotSaturates = false;
HADES_INLINE I32 dot_bytes(I32 acc, Bytes u, Bytes s) { return dot_small(acc, u, s); }

#elif defined(HADES_TIER_AVX512)

constexpr bool kDotSaturates = true;
HADES_INLINE I32 dot_bytes(I32 acc, Bytes u, Bytes s) {
    const __m512i pairs = _mm512_maddubs_epi16(u.v, s.v);
    return {_mm512_add_epi32(acc.v, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)))};
}

#else

constexpr bool kDotSaturates = true;
HADES_INLINE I32 dot_bytes(I32 acc, Bytes u, Bytes s) { return dot_pairs(acc, u.v, s.v); }

#endif

}  // namespace hades::HADES_ISA
