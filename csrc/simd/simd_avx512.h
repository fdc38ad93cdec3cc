#pragma once
#include <immintrin.h>

#include <cstdint>

#include "base/macros.h"

namespace hades::HADES_ISA {

constexpr int kLanes = 16;
constexpr int kRegisters = 32;

struct F32 {
    __m512 v;
};
struct I32 {
    __m512i v;
};
struct Mask {
    __mmask16 v;
};

HADES_INLINE __mmask16 first(int n) { return static_cast<__mmask16>((1u << n) - 1u); }

HADES_INLINE F32 load(const float* p) { return {_mm512_loadu_ps(p)}; }
HADES_INLINE F32 load_n(const float* p, int n) { return {_mm512_maskz_loadu_ps(first(n), p)}; }
HADES_INLINE void store(float* p, F32 a) { _mm512_storeu_ps(p, a.v); }
HADES_INLINE void store_n(float* p, F32 a, int n) { _mm512_mask_storeu_ps(p, first(n), a.v); }
HADES_INLINE I32 load(const int32_t* p) { return {_mm512_loadu_si512(p)}; }
HADES_INLINE I32 load_n(const int32_t* p, int n) { return {_mm512_maskz_loadu_epi32(first(n), p)}; }
HADES_INLINE void store(int32_t* p, I32 a) { _mm512_storeu_si512(p, a.v); }
HADES_INLINE void store_n(int32_t* p, I32 a, int n) { _mm512_mask_storeu_epi32(p, first(n), a.v); }

HADES_INLINE F32 set1(float a) { return {_mm512_set1_ps(a)}; }
HADES_INLINE I32 set1(int32_t a) { return {_mm512_set1_epi32(a)}; }
HADES_INLINE F32 zero() { return {_mm512_setzero_ps()}; }

HADES_INLINE F32 operator+(F32 a, F32 b) { return {_mm512_add_ps(a.v, b.v)}; }
HADES_INLINE F32 operator-(F32 a, F32 b) { return {_mm512_sub_ps(a.v, b.v)}; }
HADES_INLINE F32 operator*(F32 a, F32 b) { return {_mm512_mul_ps(a.v, b.v)}; }
HADES_INLINE F32 operator/(F32 a, F32 b) { return {_mm512_div_ps(a.v, b.v)}; }
HADES_INLINE I32 operator+(I32 a, I32 b) { return {_mm512_add_epi32(a.v, b.v)}; }
HADES_INLINE I32 operator-(I32 a, I32 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
HADES_INLINE F32 fma(F32 a, F32 b, F32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
HADES_INLINE F32 fnma(F32 a, F32 b, F32 c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
HADES_INLINE void accumulate(F32& sum, F32 a, F32 b) {
#if !defined(HADES_EMULATED)
    asm("vfmadd231ps %2, %1, %0" : "+v"(sum.v) : "v"(a.v), "v"(b.v));
#else
    sum = fma(a, b, sum);
#endif
}

HADES_INLINE F32 min(F32 a, F32 b) { return {_mm512_min_ps(a.v, b.v)}; }
HADES_INLINE F32 max(F32 a, F32 b) { return {_mm512_max_ps(a.v, b.v)}; }
HADES_INLINE F32 abs(F32 a) { return {_mm512_abs_ps(a.v)}; }
HADES_INLINE F32 negate(F32 a) { return {_mm512_xor_ps(_mm512_set1_ps(-0.0f), a.v)}; }
HADES_INLINE F32 copysign(F32 magnitude, F32 sign) {
    const __m512 bit = _mm512_set1_ps(-0.0f);
    return {_mm512_or_ps(_mm512_andnot_ps(bit, magnitude.v), _mm512_and_ps(bit, sign.v))};
}
HADES_INLINE F32 sqrt(F32 a) { return {_mm512_sqrt_ps(a.v)}; }
HADES_INLINE F32 floor(F32 a) {
    return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
}
HADES_INLINE F32 ceil(F32 a) {
    return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)};
}
HADES_INLINE F32 round_even(F32 a) {
    return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
HADES_INLINE F32 round_float16(F32 a) {
    return {_mm512_cvtph_ps(_mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT))};
}
HADES_INLINE F32 without(Mask m, F32 a) {
    return {_mm512_mask_blend_ps(m.v, a.v, _mm512_setzero_ps())};
}
HADES_INLINE F32 select(Mask m, F32 a, F32 b) { return {_mm512_mask_blend_ps(m.v, b.v, a.v)}; }

HADES_INLINE F32 keep_first(F32 a, int n) { return {_mm512_maskz_mov_ps(first(n), a.v)}; }

HADES_INLINE Mask less(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
HADES_INLINE Mask less_equal(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
HADES_INLINE Mask equal(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
HADES_INLINE Mask is_nan(F32 a) { return {_mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q)}; }
HADES_INLINE Mask operator&(Mask a, Mask b) { return {static_cast<__mmask16>(a.v & b.v)}; }
HADES_INLINE Mask operator|(Mask a, Mask b) { return {static_cast<__mmask16>(a.v | b.v)}; }
HADES_INLINE Mask invert(Mask a) { return {static_cast<__mmask16>(~a.v)}; }

HADES_INLINE float sum(F32 a) { return _mm512_reduce_add_ps(a.v); }
HADES_INLINE float max_of(F32 a) { return _mm512_reduce_max_ps(a.v); }
HADES_INLINE float min_of(F32 a) { return _mm512_reduce_min_ps(a.v); }

HADES_INLINE F32 gather(const float* base, I32 index) {
    return {_mm512_i32gather_ps(index.v, base, 4)};
}
HADES_INLINE I32 to_i32(F32 a) { return {_mm512_cvtps_epi32(a.v)}; }
HADES_INLINE F32 to_f32(I32 a) { return {_mm512_cvtepi32_ps(a.v)}; }
template <int n>
HADES_INLINE I32 shift_left(I32 a) {
    return {_mm512_slli_epi32(a.v, n)};
}
template <int n>
HADES_INLINE I32 shift_right(I32 a) {
    return {_mm512_srai_epi32(a.v, n)};
}
HADES_INLINE F32 bits_to_f32(I32 a) { return {_mm512_castsi512_ps(a.v)}; }
HADES_INLINE I32 f32_to_bits(F32 a) { return {_mm512_castps_si512(a.v)}; }

HADES_INLINE F32 ldexp(F32 a, F32 n) { return {_mm512_scalef_ps(a.v, n.v)}; }

HADES_INLINE F32 load_u8(const uint8_t* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes))};
}
HADES_INLINE F32 load_u8_n(const uint8_t* p, int n) {
    return {_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(first(n), p)))};
}
HADES_INLINE __m128i saturate_u8(F32 a) {
    const __m512i words = _mm512_max_epi32(_mm512_cvtps_epi32(a.v), _mm512_setzero_si512());
    return _mm512_cvtusepi32_epi8(words);
}
HADES_INLINE void store_u8(uint8_t* p, F32 a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), saturate_u8(a));
}
HADES_INLINE void store_u8_n(uint8_t* p, F32 a, int n) {
    _mm_mask_storeu_epi8(p, first(n), saturate_u8(a));
}

}  // namespace hades::HADES_ISA
