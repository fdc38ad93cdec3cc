#pragma once
#include "simd/bytes.h"
#include "simd/words.h"

// Products of bytes that are added up in 16 bits, and products of words: for tiers whose products
// of bytes are of 16 bits, where HADES_WORD_SUMS is defined. Several sums of two products share
// what brings them to 32 bits.
//
//   products(u, s)             u[2 i] s[2 i] + u[2 i + 1] s[2 i + 1] of each word, u unsigned and s
//                              signed, in memory or not;  add_products(sum, u, s) adds them to sum
//   add_bytes(a, b)            of each byte, modulo 2^8
//   sum_pairs(a, times)        both words of each lane, times a number
//   add_word_products(acc, a, b)   adds the two products of each lane, of which b is in memory
//
// Assembly, because GCC 12 begins with all the products and spills them.
#if defined(HADES_TIER_AVX2)
#define HADES_WORD_SUMS  // for code that is not even compiled elsewhere

namespace hades::HADES_ISA {

HADES_INLINE Bytes add_bytes(Bytes a, Bytes b) { return {_mm256_add_epi8(a.v, b.v)}; }
HADES_INLINE I32 sum_pairs(Words a, int16_t times = 1) {
    return {_mm256_madd_epi16(a.v, _mm256_set1_epi16(times))};
}
HADES_INLINE Words products(Bytes u, Bytes s) { return {_mm256_maddubs_epi16(u.v, s.v)}; }

#if defined(HADES_EMULATED)
HADES_INLINE Words products(Bytes u, const int8_t* s) { return products(u, load_bytes(s)); }
HADES_INLINE void add_products(Words& sum, Bytes u, Bytes s) { sum = sum + products(u, s); }
HADES_INLINE void add_products(Words& sum, Bytes u, const int8_t* s) { sum = sum + products(u, s); }
HADES_INLINE void add_word_products(I32& acc, Words a, const int16_t* b) {
    acc = dot_words(acc, a, load_words(b));
}
#else
HADES_INLINE Words products(Bytes u, const int8_t* s) {
    Words products;
    asm("vpmaddubsw %[s], %[u], %[products]"
        : [products] "=x"(products.v)
        : [u] "x"(u.v), [s] "m"(*reinterpret_cast<const __m256i_u*>(s)));
    return products;
}
HADES_INLINE void add_products(Words& sum, Bytes u, Bytes s) {
    Words products;
    asm("vpmaddubsw %[s], %[u], %[products]\n\t"
        "vpaddw %[products], %[sum], %[sum]"
        : [sum] "+x"(sum.v), [products] "=&x"(products.v)
        : [u] "x"(u.v), [s] "x"(s.v));
}
HADES_INLINE void add_products(Words& sum, Bytes u, const int8_t* s) {
    Words products;
    asm("vpmaddubsw %[s], %[u], %[products]\n\t"
        "vpaddw %[products], %[sum], %[sum]"
        : [sum] "+x"(sum.v), [products] "=&x"(products.v)
        : [u] "x"(u.v), [s] "m"(*reinterpret_cast<const __m256i_u*>(s)));
}
HADES_INLINE void add_word_products(I32& acc, Words a, const int16_t* b) {
    Words products;
    asm("vpmaddwd %[b], %[a], %[products]\n\t"
        "vpaddd %[products], %[acc], %[acc]"
        : [acc] "+x"(acc.v), [products] "=&x"(products.v)
        : [a] "x"(a.v), [b] "m"(*reinterpret_cast<const __m256i_u*>(b)));
}
#endif

}  // namespace hades::HADES_ISA

#endif
