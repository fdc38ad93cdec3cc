#pragma once
#include "base/float16.h"
#include "simd/emulated/lanes.h"

// AVX-512 beyond SIMDe 0.8.2: what it lacks, and what it does otherwise than the instruction.
#if !defined(__AVX512F__)

namespace hades::HADES_ISA::emulated {

// Halves are folded as the compilers fold them, so that sums have their order and NaN their fate.
template <class Function>
HADES_INLINE float folded(__m512 vector, Function function) {
    auto lanes = lanes_of<float>(vector);
    for (int half = 8; half >= 4; half /= 2)
        for (int i = 0; i < half; ++i) lanes.v[i] = function(lanes.v[i + half], lanes.v[i]);
    for (int half = 2; half >= 1; half /= 2)
        for (int i = 0; i < half; ++i) lanes.v[i] = function(lanes.v[i], lanes.v[i + half]);
    return lanes.v[0];
}
HADES_INLINE float reduce_add(__m512 a) {
    return folded(a, [](float x, float y) { return x + y; });
}
HADES_INLINE float reduce_max(__m512 a) {
    return folded(a, [](float x, float y) { return x > y ? x : y; });
}
HADES_INLINE float reduce_min(__m512 a) {
    return folded(a, [](float x, float y) { return x < y ? x : y; });
}

// SIMDe keeps the sign of -0.
HADES_INLINE __m512 abs_ps(__m512 a) {
    return simde_mm512_andnot_ps(simde_mm512_set1_ps(-0.0f), a);
}

// a * 2^n for whole n, rounded once: exact in double. SIMDe's 2^n overflows where the product does
// not.
HADES_INLINE __m512 scalef(__m512 a, __m512 n) {
    auto values = lanes_of<float>(a);
    const auto powers = lanes_of<float>(n);
    for (int i = 0; i < 16; ++i) {
        const float bounded = powers.v[i] < -900 ? -900 : powers.v[i] > 900 ? 900 : powers.v[i];
        const int64_t bits = (int64_t{1023} + static_cast<int64_t>(bounded)) << 52;
        double power;
        memcpy(&power, &bits, sizeof power);
        values.v[i] =
            powers.v[i] != powers.v[i] ? powers.v[i] : static_cast<float>(values.v[i] * power);
    }
    return vector_of<__m512>(values);
}

HADES_INLINE __m256i cvtps_ph(__m512 a) {
    const auto lanes = lanes_of<float>(a);
    Lanes<uint16_t, 16> halves;
    for (int i = 0; i < 16; ++i) halves.v[i] = to_float16(lanes.v[i]).bits;
    return vector_of<__m256i>(halves);
}
HADES_INLINE __m256i cvtepi32_epi16(__m512i a) {
    return per_element<__m256i, int16_t, int32_t>(a, [](int32_t x) { return int16_t(x); });
}
HADES_INLINE __m512i cvtepi8_epi32(__m128i a) {
    return per_element<__m512i, int32_t, int8_t>(a, [](int8_t x) { return int32_t{x}; });
}
HADES_INLINE __m512i cvtepu8_epi32(__m128i a) {
    return per_element<__m512i, int32_t, uint8_t>(a, [](uint8_t x) { return int32_t{x}; });
}
HADES_INLINE __m512i cvtepu8_epi16(__m256i a) {
    return per_element<__m512i, int16_t, uint8_t>(a, [](uint8_t x) { return int16_t{x}; });
}
HADES_INLINE __m128i cvtusepi32_epi8(__m512i a) {
    return per_element<__m128i, uint8_t, uint32_t>(
        a, [](uint32_t x) { return static_cast<uint8_t>(x < 255 ? x : 255); });
}

}  // namespace hades::HADES_ISA::emulated

#undef _mm512_abs_ps
#undef _mm512_reduce_add_ps
#undef _mm512_reduce_max_ps
#undef _mm512_reduce_min_ps
#undef _mm512_scalef_ps
#undef _mm512_roundscale_ps
#undef _mm512_cvtps_ph
#undef _mm512_cvtepi32_epi16
#undef _mm512_cvtepi8_epi32
#undef _mm512_cvtepu8_epi32
#undef _mm512_cvtepu8_epi16
#undef _mm512_cvtusepi32_epi8
#undef _mm512_maskz_loadu_ps
#undef _mm512_maskz_loadu_epi32
#undef _mm_maskz_loadu_epi8
#undef _mm256_maskz_loadu_epi8
#undef _mm512_maskz_loadu_epi8
#undef _mm512_mask_storeu_epi8
#undef _mm256_mask_storeu_epi8
#undef _mm512_mask_storeu_ps
#undef _mm512_mask_storeu_epi32
#undef _mm_mask_storeu_epi8
#define _mm512_abs_ps hades::HADES_ISA::emulated::abs_ps
#define _mm512_reduce_add_ps hades::HADES_ISA::emulated::reduce_add
#define _mm512_reduce_max_ps hades::HADES_ISA::emulated::reduce_max
#define _mm512_reduce_min_ps hades::HADES_ISA::emulated::reduce_min
#define _mm512_scalef_ps hades::HADES_ISA::emulated::scalef
// SIMDe shifts its argument, an expression without parentheses.
#define _mm512_roundscale_ps(a, mode) simde_mm512_roundscale_ps(a, (mode))
#define _mm512_cvtps_ph(a, mode) hades::HADES_ISA::emulated::cvtps_ph(a)
#define _mm512_cvtepi32_epi16 hades::HADES_ISA::emulated::cvtepi32_epi16
#define _mm512_cvtepi8_epi32 hades::HADES_ISA::emulated::cvtepi8_epi32
#define _mm512_cvtepu8_epi32 hades::HADES_ISA::emulated::cvtepu8_epi32
#define _mm512_cvtepu8_epi16 hades::HADES_ISA::emulated::cvtepu8_epi16
#define _mm512_cvtusepi32_epi8 hades::HADES_ISA::emulated::cvtusepi32_epi8
#define _mm512_maskz_loadu_ps hades::HADES_ISA::emulated::load_masked<__m512, float>
#define _mm512_maskz_loadu_epi32 hades::HADES_ISA::emulated::load_masked<__m512i, int32_t>
#define _mm_maskz_loadu_epi8 hades::HADES_ISA::emulated::load_masked<__m128i, uint8_t>
#define _mm256_maskz_loadu_epi8 hades::HADES_ISA::emulated::load_masked<__m256i, uint8_t>
#define _mm512_maskz_loadu_epi8 hades::HADES_ISA::emulated::load_masked<__m512i, uint8_t>
#define _mm512_mask_storeu_ps hades::HADES_ISA::emulated::store_masked<float>
#define _mm512_mask_storeu_epi32 hades::HADES_ISA::emulated::store_masked<int32_t>
#define _mm512_mask_storeu_epi8 hades::HADES_ISA::emulated::store_masked<uint8_t>
#define _mm256_mask_storeu_epi8 hades::HADES_ISA::emulated::store_masked<uint8_t>
#define _mm_mask_storeu_epi8 hades::HADES_ISA::emulated::store_masked<uint8_t>

#endif
