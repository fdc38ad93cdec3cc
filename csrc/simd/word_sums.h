#pragma once
#include "simd/bytes.h"
#include "simd/words.h"

// Products of bytes that are added up in 16 bits, and products of words, with weights in memory:
// for tiers whose products of bytes are of 16 bits. Several sums of two products share what brings
// them to 32 bits.
//
//   products(u, s)             u[2 i] s[2 i] + u[2 i + 1] s[2 i + 1] of each word, u unsigned and s
//                              signed;  add_products(sum, u, s) adds them to sum
//   add_bytes(a, b)            of each byte, modulo 2^8
//   sum_signed(a)              the four int8 of each lane;  sum_pairs(a)  both words
//   add_word_products(acc, a, b)   acc + the two products of each lane
//
// Assembly, because GCC 12 begins with all the products and spills them.
namespace hades::HADES_ISA {

HADES_INLINE Bytes add_bytes(Bytes a, Bytes b) { return {_mm256_add_epi8(a.v, b.v)}; }
HADES_INLINE I32 sum_signed(Bytes a) {
    return dot_pairs(set1(int32_t{0}), _mm256_set1_epi8(1), a.v);
}
HADES_INLINE I32 sum_pairs(Words a) { return {_mm256_madd_epi16(a.v, _mm256_set1_epi16(1))}; }

#if defined(HADES_EMULATED)
HADES_INLINE Words products(Bytes u, const int8_t* s) {
    return {_mm256_maddubs_epi16(u.v, load_bytes(s).v)};
}
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
