#pragma once
#include "simd/bytes.h"

// Products of any unsigned bytes with signed ones.
//
//   dot_bytes(acc, u, s)    acc + sum of 4 products. Where kDotSaturates, 255 times the sum of the
//                           weights above zero of bytes 2 i and 2 i + 1 has to fit in 16 bits, and
//                           that of those below: 128 at most.
namespace hades::HADES_ISA {

#if defined(HADES_TIER_AVX512)
HADES_INLINE __m512i ones_of_16_bits() { return _mm512_set1_epi16(1); }
#elif defined(HADES_TIER_AVX2)
HADES_INLINE __m256i ones_of_16_bits() { return _mm256_set1_epi16(1); }
#endif

#if defined(HADES_TIER_VNNI) || !(defined(HADES_TIER_AVX512) || defined(HADES_TIER_AVX2))

#define HADES_DOT_IS_EXACT  // for code that is not even compiled where nothing saturates
constexpr bool kDotSaturates = false;
HADES_INLINE I32 dot_bytes(I32 acc, Bytes u, Bytes s) { return dot_small(acc, u, s); }

#elif defined(HADES_EMULATED)

constexpr bool kDotSaturates = true;
#if defined(HADES_TIER_AVX512)
HADES_INLINE I32 dot_bytes(I32 acc, Bytes u, Bytes s) {
    const __m512i pairs = _mm512_maddubs_epi16(u.v, s.v);
    return {_mm512_add_epi32(acc.v, _mm512_madd_epi16(pairs, ones_of_16_bits()))};
}
#else
HADES_INLINE I32 dot_bytes(I32 acc, Bytes u, Bytes s) { return dot_pairs(acc, u.v, s.v); }
#endif

#else

// Assembly, because GCC 12 begins with all the products and spills them.
constexpr bool kDotSaturates = true;
HADES_INLINE I32 dot_bytes(I32 acc, Bytes u, Bytes s) {
    Bytes pairs;
    const decltype(acc.v) ones = ones_of_16_bits();
    asm("vpmaddubsw %[s], %[u], %[pairs]\n\t"
        "vpmaddwd %[ones], %[pairs], %[pairs]\n\t"
        "vpaddd %[pairs], %[acc], %[acc]"
        : [acc] "+v"(acc.v), [pairs] "=&v"(pairs.v)
        : [u] "v"(u.v), [s] "v"(s.v), [ones] "v"(ones));
    return acc;
}

#endif

// acc + u[0] s[0] + u[1] s[1] of int16, which is exact for any byte u and any int8 s. Only where
// products of bytes saturate.
#if defined(HADES_TIER_VNNI) || !(defined(HADES_TIER_AVX512) || defined(HADES_TIER_AVX2))
HADES_INLINE I32 dot_words(I32 acc, Bytes, Bytes) { return acc; }
#elif defined(HADES_EMULATED)
#if defined(HADES_TIER_AVX512)
HADES_INLINE I32 dot_words(I32 acc, Bytes u, Bytes s) {
    return {_mm512_add_epi32(acc.v, _mm512_madd_epi16(u.v, s.v))};
}
#else
HADES_INLINE I32 dot_words(I32 acc, Bytes u, Bytes s) {
    return {_mm256_add_epi32(acc.v, _mm256_madd_epi16(u.v, s.v))};
}
#endif
#else
HADES_INLINE I32 dot_words(I32 acc, Bytes u, Bytes s) {
    Bytes pairs;
    asm("vpmaddwd %[s], %[u], %[pairs]\n\t"
        "vpaddd %[pairs], %[acc], %[acc]"
        : [acc] "+v"(acc.v), [pairs] "=&v"(pairs.v)
        : [u] "v"(u.v), [s] "v"(s.v));
    return acc;
}
#endif

}  // namespace hades::HADES_ISA
