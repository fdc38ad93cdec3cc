#pragma once
#include "simd/simd.h"

// Vectors of 16-bit integers, two for each lane of 32 bits; of vector tiers.
//
//   Words, kWords              the vector, and how many it holds: 2 kLanes
//   load_words, store_words    of int16 in memory
//   widen, widen_n             bytes of memory as words from 0 to 255
//                              int8 of memory as words from -128 to 127
//   + - shift_left<n>, times   modulo 2^16; times a number
//   & shift_right<n>           of bits;  set1_words
//   store_low_bytes            of the first words, in memory
//   pair(p)                    two words of memory in every lane
//   dot_words(acc, a, b)       acc + the two products of each lane, modulo 2^32
//   times(a, b)                of lanes of 32 bits, modulo 2^32
//   HADES_WORDS                defined where there are any
namespace hades::HADES_ISA {

constexpr int kWords = 2 * kLanes;

#if defined(HADES_TIER_AVX512)
#define HADES_WORDS

struct Words {
    __m512i v;
};
HADES_INLINE Words load_words(const int16_t* p) { return {_mm512_loadu_si512(p)}; }
HADES_INLINE void store_words(int16_t* p, Words a) { _mm512_storeu_si512(p, a.v); }
HADES_INLINE Words widen(const uint8_t* p) {
    return {_mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
HADES_INLINE Words widen(const int8_t* p) {
    return {_mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
HADES_INLINE Words widen_n(const uint8_t* p, int n) {
    if (n >= kWords) return widen(p);
    const auto mask = static_cast<__mmask32>((uint32_t{1} << n) - 1);
    return {_mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(mask, p))};
}
HADES_INLINE Words operator+(Words a, Words b) { return {_mm512_add_epi16(a.v, b.v)}; }
HADES_INLINE Words operator-(Words a, Words b) { return {_mm512_sub_epi16(a.v, b.v)}; }
template <int n>
HADES_INLINE Words shift_left(Words a) {
    return {_mm512_slli_epi16(a.v, n)};
}
template <int n>
HADES_INLINE Words shift_right(Words a) {
    return {_mm512_srli_epi16(a.v, n)};
}
HADES_INLINE Words operator&(Words a, Words b) { return {_mm512_and_si512(a.v, b.v)}; }
HADES_INLINE Words set1_words(int16_t x) { return {_mm512_set1_epi16(x)}; }
HADES_INLINE void store_low_bytes(uint8_t* p, Words a, int n) {
    const __m256i bytes = _mm512_cvtepi16_epi8(a.v);
    if (n >= kWords) return _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), bytes);
    _mm256_mask_storeu_epi8(p, static_cast<__mmask32>((uint32_t{1} << n) - 1), bytes);
}
HADES_INLINE Words pair(const int16_t* p) {
    int32_t bits;
    memcpy(&bits, p, sizeof bits);
    return {_mm512_set1_epi32(bits)};
}
HADES_INLINE Words times(Words a, int16_t b) {
    return {_mm512_mullo_epi16(a.v, _mm512_set1_epi16(b))};
}
HADES_INLINE I32 times(I32 a, I32 b) { return {_mm512_mullo_epi32(a.v, b.v)}; }
#if defined(HADES_EMULATED)
HADES_INLINE I32 dot_words(I32 acc, Words a, Words b) {
    return {_mm512_add_epi32(acc.v, _mm512_madd_epi16(a.v, b.v))};
}
#elif defined(HADES_TIER_VNNI)
// Assembly, for the same reason as in byte_products.h.
HADES_INLINE I32 dot_words(I32 acc, Words a, Words b) {
    asm("vpdpwssd %2, %1, %0" : "+v"(acc.v) : "v"(a.v), "v"(b.v));
    return acc;
}
#endif

#elif defined(HADES_TIER_AVX2)
#define HADES_WORDS

struct Words {
    __m256i v;
};
HADES_INLINE Words load_words(const int16_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
}
HADES_INLINE void store_words(int16_t* p, Words a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.v);
}
HADES_INLINE Words widen(const uint8_t* p) {
    return {_mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
HADES_INLINE Words widen(const int8_t* p) {
    return {_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
HADES_INLINE Words widen_n(const uint8_t* p, int n) {
    if (n >= kWords) return widen(p);
    uint8_t bytes[kWords] = {};
    memcpy(bytes, p, static_cast<size_t>(n));
    return widen(bytes);
}
HADES_INLINE Words operator+(Words a, Words b) { return {_mm256_add_epi16(a.v, b.v)}; }
HADES_INLINE Words operator-(Words a, Words b) { return {_mm256_sub_epi16(a.v, b.v)}; }
template <int n>
HADES_INLINE Words shift_left(Words a) {
    return {_mm256_slli_epi16(a.v, n)};
}
template <int n>
HADES_INLINE Words shift_right(Words a) {
    return {_mm256_srli_epi16(a.v, n)};
}
HADES_INLINE Words operator&(Words a, Words b) { return {_mm256_and_si256(a.v, b.v)}; }
HADES_INLINE Words set1_words(int16_t x) { return {_mm256_set1_epi16(x)}; }
HADES_INLINE void store_low_bytes(uint8_t* p, Words a, int n) {
    const __m256i low = _mm256_and_si256(a.v, _mm256_set1_epi16(0xff));
    const __m128i bytes =
        _mm_packus_epi16(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
    if (n >= kWords) return _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
    uint8_t buffer[kWords];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(buffer), bytes);
    memcpy(p, buffer, static_cast<size_t>(n));
}
HADES_INLINE Words pair(const int16_t* p) {
    int32_t bits;
    memcpy(&bits, p, sizeof bits);
    return {_mm256_set1_epi32(bits)};
}
HADES_INLINE Words times(Words a, int16_t b) {
    return {_mm256_mullo_epi16(a.v, _mm256_set1_epi16(b))};
}
HADES_INLINE I32 times(I32 a, I32 b) { return {_mm256_mullo_epi32(a.v, b.v)}; }
#if defined(HADES_EMULATED)
HADES_INLINE I32 dot_words(I32 acc, Words a, Words b) {
    return {_mm256_add_epi32(acc.v, _mm256_madd_epi16(a.v, b.v))};
}
#endif

#endif

#if defined(HADES_WORDS) && !defined(HADES_EMULATED) && !defined(HADES_TIER_VNNI)
HADES_INLINE I32 dot_words(I32 acc, Words a, Words b) {
    Words products;
    asm("vpmaddwd %[b], %[a], %[products]\n\t"
        "vpaddd %[products], %[acc], %[acc]"
        : [acc] "+v"(acc.v), [products] "=&v"(products.v)
        : [a] "v"(a.v), [b] "v"(b.v));
    return acc;
}
#endif

}  // namespace hades::HADES_ISA
