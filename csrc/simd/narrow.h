#pragma once
#include "base/float16.h"
#include "simd/simd.h"

// Elements of 16 and 8 bits in memory as float32 lanes.
namespace hades::HADES_ISA {

#if defined(HADES_TIER_AVX512)

HADES_INLINE F32 load_bf16(const uint16_t* p) {
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16))};
}

// The bits of the nearest bfloat16 in each dword, ties to even; NaN stays NaN.
HADES_INLINE __m512i bf16_bits(F32 a) {
    const __m512i bits = _mm512_castps_si512(a.v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i bias = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
    const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, bias), 16);
    const __m512i quiet = _mm512_or_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(0x40));
    return _mm512_mask_mov_epi32(rounded, is_nan(a).v, quiet);
}

HADES_INLINE void store_bf16(uint16_t* p, F32 a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(bf16_bits(a)));
}

HADES_INLINE F32 round_bf16(F32 a) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(bf16_bits(a), 16))};
}

HADES_INLINE F32 load_i8(const int8_t* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes))};
}

#elif defined(HADES_TIER_AVX2)

HADES_INLINE F32 load_bf16(const uint16_t* p) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16))};
}

HADES_INLINE __m256i bf16_bits(F32 a) {
    const __m256i bits = _mm256_castps_si256(a.v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i bias = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
    const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, bias), 16);
    const __m256i quiet = _mm256_or_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(0x40));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(a.v, a.v, _CMP_UNORD_Q));
    return _mm256_blendv_epi8(rounded, quiet, nan);
}

HADES_INLINE void store_bf16(uint16_t* p, F32 a) {
    const __m256i half = bf16_bits(a);
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(half, half), 0x08);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(packed));
}

HADES_INLINE F32 round_bf16(F32 a) {
    return {_mm256_castsi256_ps(_mm256_slli_epi32(bf16_bits(a), 16))};
}

HADES_INLINE F32 load_i8(const int8_t* p) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes))};
}

#else

HADES_INLINE F32 load_bf16(const uint16_t* p) { return {to_float(BFloat16{*p})}; }
HADES_INLINE void store_bf16(uint16_t* p, F32 a) { *p = to_bfloat16(a.v).bits; }
HADES_INLINE F32 round_bf16(F32 a) { return {to_float(to_bfloat16(a.v))}; }
HADES_INLINE F32 load_i8(const int8_t* p) { return {static_cast<float>(*p)}; }

#endif

}  // namespace hades::HADES_ISA
