#pragma once
#include "simd/narrow.h"

// Products of bfloat16 in pairs of neighbours, summed in float32.
//
//   Pairs                    kLanes pairs, as the tier multiplies them
//   load_pairs, spread_pair  from memory: kLanes pairs, or one pair in every lane
//   add_products(sum, a, b)  sum + a.first * b.first + a.second * b.second, in some order
//   store_sums_bf16(p, a)    the nearest bfloat16, ties to even
//
// Denormal numbers may count as zero: the instructions of BF16 know none.
namespace hades::HADES_ISA {

#if defined(HADES_TIER_BF16)

constexpr bool kMultipliesPairs = true;
struct Pairs {
    __m512i v;
};
HADES_INLINE Pairs load_pairs(const void* p) { return {_mm512_loadu_si512(p)}; }
HADES_INLINE Pairs spread_pair(const void* p) {
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return {_mm512_set1_epi32(pair)};
}

#if defined(HADES_EMULATED)
HADES_INLINE void add_products(F32& sum, Pairs a, Pairs b) {
    sum.v = emulated::dpbf16(sum.v, a.v, b.v);
}
HADES_INLINE __m256i narrowed(F32 a) { return emulated::cvtneps_pbh(a.v); }
#else
// Assembly, because GCC 12 moves sums to the stack around the intrinsic.
HADES_INLINE void add_products(F32& sum, Pairs a, Pairs b) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum.v) : "v"(a.v), "v"(b.v));
}
HADES_INLINE __m256i narrowed(F32 a) {
    __m256i half;
    asm("vcvtneps2bf16 %1, %0" : "=v"(half) : "v"(a.v));
    return half;
}
#endif

HADES_INLINE void store_sums_bf16(uint16_t* p, F32 a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrowed(a));
}

#else

// Two multiply-adds of float32. A bfloat16 is the upper half of one, so that the second of a pair
// only needs the first masked away.
constexpr bool kMultipliesPairs = false;
struct Pairs {
    F32 first, second;
};

#if defined(HADES_TIER_AVX512)
HADES_INLINE Pairs widened(__m512i pairs) {
    const __m512i upper = _mm512_set1_epi32(static_cast<int32_t>(0xffff0000u));
    return {{_mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16))},
            {_mm512_castsi512_ps(_mm512_and_si512(pairs, upper))}};
}
HADES_INLINE Pairs load_pairs(const void* p) { return widened(_mm512_loadu_si512(p)); }
HADES_INLINE Pairs spread_pair(const void* p) {
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return widened(_mm512_set1_epi32(pair));
}
#elif defined(HADES_TIER_AVX2)
HADES_INLINE Pairs widened(__m256i pairs) {
    const __m256i upper = _mm256_set1_epi32(static_cast<int32_t>(0xffff0000u));
    return {{_mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16))},
            {_mm256_castsi256_ps(_mm256_and_si256(pairs, upper))}};
}
HADES_INLINE Pairs load_pairs(const void* p) {
    return widened(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
}
HADES_INLINE Pairs spread_pair(const void* p) {
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return widened(_mm256_set1_epi32(pair));
}
#else
HADES_INLINE Pairs load_pairs(const void* p) {
    uint16_t pair[2];
    memcpy(pair, p, sizeof pair);
    return {load_bf16(pair), load_bf16(pair + 1)};
}
HADES_INLINE Pairs spread_pair(const void* p) { return load_pairs(p); }
#endif

HADES_INLINE void add_products(F32& sum, Pairs a, Pairs b) {
    accumulate(sum, a.first, b.first);
    accumulate(sum, a.second, b.second);
}
HADES_INLINE void store_sums_bf16(uint16_t* p, F32 a) { store_bf16(p, a); }

#endif

HADES_INLINE void store_sums_bf16_n(uint16_t* p, F32 a, int n) {
    if (n == kLanes) return store_sums_bf16(p, a);
    uint16_t elements[kLanes];
    store_sums_bf16(elements, a);
    for (int i = 0; i < n; ++i) p[i] = elements[i];
}

}  // namespace hades::HADES_ISA
