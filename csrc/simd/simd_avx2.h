#pragma once
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "base/macros.h"

namespace hades::HADES_ISA {

constexpr int kLanes = 8;
constexpr int kRegisters = 16;

struct F32 {
    __m256 v;
};
struct I32 {
    __m256i v;
};
struct Mask {
    __m256 v;  // all ones or all zeros per lane
};

HADES_INLINE __m256i first(int n) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane);
}

// Whether a count is known, when compiling, to be that of a whole vector: loads need no mask then.
#define HADES_WHOLE(n) (__builtin_constant_p(n) && (n) >= kLanes)

HADES_INLINE F32 load(const float* p) { return {_mm256_loadu_ps(p)}; }
HADES_INLINE F32 load_n(const float* p, int n) {
    return HADES_WHOLE(n) ? load(p) : F32{_mm256_maskload_ps(p, first(n))};
}
HADES_INLINE I32 load(const int32_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
}
HADES_INLINE I32 load_n(const int32_t* p, int n) {
    return HADES_WHOLE(n) ? load(p) : I32{_mm256_maskload_epi32(p, first(n))};
}
#undef HADES_WHOLE

HADES_INLINE void store(float* p, F32 a) { _mm256_storeu_ps(p, a.v); }
HADES_INLINE void store(int32_t* p, I32 a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.v);
}
// Masked stores take AMD's cores a dozen cycles, so they are kept to vectors that are not whole.
HADES_INLINE void store_n(float* p, F32 a, int n) {
    if (n >= kLanes) return store(p, a);
    _mm256_maskstore_ps(p, first(n), a.v);
}
HADES_INLINE void store_n(int32_t* p, I32 a, int n) {
    if (n >= kLanes) return store(p, a);
    _mm256_maskstore_epi32(p, first(n), a.v);
}

HADES_INLINE F32 set1(float a) { return {_mm256_set1_ps(a)}; }
HADES_INLINE I32 set1(int32_t a) { return {_mm256_set1_epi32(a)}; }
HADES_INLINE F32 zero() { return {_mm256_setzero_ps()}; }

HADES_INLINE F32 operator+(F32 a, F32 b) { return {_mm256_add_ps(a.v, b.v)}; }
HADES_INLINE F32 operator-(F32 a, F32 b) { return {_mm256_sub_ps(a.v, b.v)}; }
HADES_INLINE F32 operator*(F32 a, F32 b) { return {_mm256_mul_ps(a.v, b.v)}; }
HADES_INLINE F32 operator/(F32 a, F32 b) { return {_mm256_div_ps(a.v, b.v)}; }
HADES_INLINE I32 operator+(I32 a, I32 b) { return {_mm256_add_epi32(a.v, b.v)}; }
HADES_INLINE I32 operator-(I32 a, I32 b) { return {_mm256_sub_epi32(a.v, b.v)}; }
HADES_INLINE F32 fma(F32 a, F32 b, F32 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
HADES_INLINE F32 fnma(F32 a, F32 b, F32 c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
HADES_INLINE void accumulate(F32& sum, F32 a, F32 b) {
#if !defined(HADES_EMULATED)
    asm("vfmadd231ps %2, %1, %0" : "+x"(sum.v) : "x"(a.v), "x"(b.v));
#else
    sum = fma(a, b, sum);
#endif
}

HADES_INLINE F32 min(F32 a, F32 b) { return {_mm256_min_ps(a.v, b.v)}; }
HADES_INLINE F32 max(F32 a, F32 b) { return {_mm256_max_ps(a.v, b.v)}; }
HADES_INLINE F32 abs(F32 a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
HADES_INLINE F32 negate(F32 a) { return {_mm256_xor_ps(_mm256_set1_ps(-0.0f), a.v)}; }
HADES_INLINE F32 copysign(F32 magnitude, F32 sign) {
    const __m256 bit = _mm256_set1_ps(-0.0f);
    return {_mm256_or_ps(_mm256_andnot_ps(bit, magnitude.v), _mm256_and_ps(bit, sign.v))};
}
HADES_INLINE F32 sqrt(F32 a) { return {_mm256_sqrt_ps(a.v)}; }
HADES_INLINE F32 floor(F32 a) {
    return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
}
HADES_INLINE F32 ceil(F32 a) {
    return {_mm256_round_ps(a.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)};
}
HADES_INLINE F32 round_even(F32 a) {
    return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
HADES_INLINE F32 round_float16(F32 a) {
    return {_mm256_cvtph_ps(_mm256_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT))};
}
HADES_INLINE F32 without(Mask m, F32 a) { return {_mm256_andnot_ps(m.v, a.v)}; }
HADES_INLINE F32 select(Mask m, F32 a, F32 b) { return {_mm256_blendv_ps(b.v, a.v, m.v)}; }

HADES_INLINE F32 keep_first(F32 a, int n) {
    return {_mm256_and_ps(a.v, _mm256_castsi256_ps(first(n)))};
}

HADES_INLINE Mask less(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
HADES_INLINE Mask less_equal(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ)}; }
HADES_INLINE Mask equal(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)}; }
HADES_INLINE Mask is_nan(F32 a) { return {_mm256_cmp_ps(a.v, a.v, _CMP_UNORD_Q)}; }
HADES_INLINE Mask operator&(Mask a, Mask b) { return {_mm256_and_ps(a.v, b.v)}; }
HADES_INLINE Mask operator|(Mask a, Mask b) { return {_mm256_or_ps(a.v, b.v)}; }
HADES_INLINE Mask invert(Mask a) {
    return {_mm256_xor_ps(a.v, _mm256_castsi256_ps(_mm256_set1_epi32(-1)))};
}

HADES_INLINE float sum(F32 a) {
    __m128 quad = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
    quad = _mm_add_ps(quad, _mm_movehl_ps(quad, quad));
    return _mm_cvtss_f32(_mm_add_ss(quad, _mm_movehdup_ps(quad)));
}
HADES_INLINE float max_of(F32 a) {
    __m128 quad = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
    quad = _mm_max_ps(quad, _mm_movehl_ps(quad, quad));
    return _mm_cvtss_f32(_mm_max_ss(quad, _mm_movehdup_ps(quad)));
}
HADES_INLINE float min_of(F32 a) {
    __m128 quad = _mm_min_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
    quad = _mm_min_ps(quad, _mm_movehl_ps(quad, quad));
    return _mm_cvtss_f32(_mm_min_ss(quad, _mm_movehdup_ps(quad)));
}

HADES_INLINE F32 gather(const float* base, I32 index) {
    return {_mm256_i32gather_ps(base, index.v, 4)};
}
HADES_INLINE I32 to_i32(F32 a) { return {_mm256_cvtps_epi32(a.v)}; }
HADES_INLINE F32 to_f32(I32 a) { return {_mm256_cvtepi32_ps(a.v)}; }
template <int n>
HADES_INLINE I32 shift_left(I32 a) {
    return {_mm256_slli_epi32(a.v, n)};
}
template <int n>
HADES_INLINE I32 shift_right(I32 a) {
    return {_mm256_srai_epi32(a.v, n)};
}
HADES_INLINE F32 bits_to_f32(I32 a) { return {_mm256_castsi256_ps(a.v)}; }
HADES_INLINE I32 f32_to_bits(F32 a) { return {_mm256_castps_si256(a.v)}; }

// In two steps, because 2^n itself may be out of range where a * 2^n is not.
HADES_INLINE F32 ldexp(F32 a, F32 n) {
    const F32 half = floor(n * set1(0.5f));
    const I32 bias = set1(int32_t{127});
    const F32 first_power = bits_to_f32(shift_left<23>(to_i32(half) + bias));
    const F32 second_power = bits_to_f32(shift_left<23>(to_i32(n - half) + bias));
    return a * first_power * second_power;
}

HADES_INLINE F32 load_u8(const uint8_t* p) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes))};
}
HADES_INLINE F32 load_u8_n(const uint8_t* p, int n) {
    uint8_t bytes[8] = {};
    for (int i = 0; i < n; ++i) bytes[i] = p[i];
    return load_u8(bytes);
}
HADES_INLINE void store_u8(uint8_t* p, F32 a) {
    const __m256i words = _mm256_cvtps_epi32(a.v);
    const __m128i halves =
        _mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(halves, halves));
}
HADES_INLINE void store_u8_n(uint8_t* p, F32 a, int n) {
    uint8_t bytes[8];
    store_u8(bytes, a);
    for (int i = 0; i < n; ++i) p[i] = bytes[i];
}

}  // namespace hades::HADES_ISA
