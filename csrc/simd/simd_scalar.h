#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/float16.h"
#include "base/macros.h"

namespace hades::HADES_ISA {

constexpr int kLanes = 1;
constexpr int kRegisters = 16;

struct F32 {
    float v;
};
struct I32 {
    int32_t v;
};
struct Mask {
    bool v;
};

HADES_INLINE F32 load(const float* p) { return {*p}; }
HADES_INLINE F32 load_n(const float* p, int n) { return {n > 0 ? *p : 0.0f}; }
HADES_INLINE void store(float* p, F32 a) { *p = a.v; }
HADES_INLINE void store_n(float* p, F32 a, int n) {
    if (n > 0) *p = a.v;
}
HADES_INLINE I32 load(const int32_t* p) { return {*p}; }
HADES_INLINE I32 load_n(const int32_t* p, int n) { return {n > 0 ? *p : 0}; }
HADES_INLINE void store(int32_t* p, I32 a) { *p = a.v; }
HADES_INLINE void store_n(int32_t* p, I32 a, int n) {
    if (n > 0) *p = a.v;
}

HADES_INLINE F32 set1(float a) { return {a}; }
HADES_INLINE I32 set1(int32_t a) { return {a}; }
HADES_INLINE F32 zero() { return {0.0f}; }

HADES_INLINE F32 operator+(F32 a, F32 b) { return {a.v + b.v}; }
HADES_INLINE F32 operator-(F32 a, F32 b) { return {a.v - b.v}; }
HADES_INLINE F32 operator*(F32 a, F32 b) { return {a.v * b.v}; }
HADES_INLINE F32 operator/(F32 a, F32 b) { return {a.v / b.v}; }
HADES_INLINE I32 operator+(I32 a, I32 b) { return {a.v + b.v}; }
HADES_INLINE I32 operator-(I32 a, I32 b) { return {a.v - b.v}; }
#if defined(HADES_SCALAR_FUSES)  // of files whose results have to be those of the vector tiers
HADES_INLINE F32 fma(F32 a, F32 b, F32 c) { return {__builtin_fmaf(a.v, b.v, c.v)}; }
HADES_INLINE F32 fnma(F32 a, F32 b, F32 c) { return {__builtin_fmaf(-a.v, b.v, c.v)}; }
#else
// Not fused: without the instruction, a correctly rounded fma is a function call.
HADES_INLINE F32 fma(F32 a, F32 b, F32 c) { return {a.v * b.v + c.v}; }
HADES_INLINE void accumulate(F32& sum, F32 a, F32 b) { sum = fma(a, b, sum); }
HADES_INLINE F32 fnma(F32 a, F32 b, F32 c) { return {c.v - a.v * b.v}; }
#endif

HADES_INLINE F32 min(F32 a, F32 b) { return {a.v < b.v ? a.v : b.v}; }
HADES_INLINE F32 max(F32 a, F32 b) { return {a.v > b.v ? a.v : b.v}; }
HADES_INLINE F32 abs(F32 a) { return {__builtin_fabsf(a.v)}; }
HADES_INLINE F32 negate(F32 a) { return {-a.v}; }
HADES_INLINE F32 copysign(F32 magnitude, F32 sign) {
    return {__builtin_copysignf(magnitude.v, sign.v)};
}
HADES_INLINE F32 sqrt(F32 a) { return {__builtin_sqrtf(a.v)}; }
HADES_INLINE F32 floor(F32 a) { return {__builtin_floorf(a.v)}; }
HADES_INLINE F32 ceil(F32 a) { return {__builtin_ceilf(a.v)}; }
HADES_INLINE F32 round_even(F32 a) { return {__builtin_rintf(a.v)}; }
HADES_INLINE F32 round_float16(F32 a) { return {to_float(to_float16(a.v))}; }
HADES_INLINE F32 without(Mask m, F32 a) { return m.v ? F32{0.0f} : a; }
HADES_INLINE F32 select(Mask m, F32 a, F32 b) { return m.v ? a : b; }

HADES_INLINE F32 keep_first(F32 a, int n) { return {n > 0 ? a.v : 0.0f}; }

HADES_INLINE Mask less(F32 a, F32 b) { return {a.v < b.v}; }
HADES_INLINE Mask less_equal(F32 a, F32 b) { return {a.v <= b.v}; }
HADES_INLINE Mask equal(F32 a, F32 b) { return {a.v == b.v}; }
HADES_INLINE Mask is_nan(F32 a) { return {a.v != a.v}; }
HADES_INLINE Mask operator&(Mask a, Mask b) { return {a.v && b.v}; }
HADES_INLINE Mask operator|(Mask a, Mask b) { return {a.v || b.v}; }
HADES_INLINE Mask invert(Mask a) { return {!a.v}; }

HADES_INLINE float sum(F32 a) { return a.v; }
HADES_INLINE float max_of(F32 a) { return a.v; }
HADES_INLINE float min_of(F32 a) { return a.v; }

HADES_INLINE F32 gather(const float* base, I32 index) { return {base[index.v]}; }
HADES_INLINE I32 to_i32(F32 a) {
    // Out of range gives the "integer indefinite" value of the vector instructions.
    const float rounded = __builtin_rintf(a.v);
    if (!(rounded >= -2147483648.0f && rounded < 2147483648.0f)) return {INT32_MIN};
    return {static_cast<int32_t>(rounded)};
}
HADES_INLINE F32 to_f32(I32 a) { return {static_cast<float>(a.v)}; }
template <int n>
HADES_INLINE I32 shift_left(I32 a) {
    return {static_cast<int32_t>(static_cast<uint32_t>(a.v) << n)};
}
template <int n>
HADES_INLINE I32 shift_right(I32 a) {
    return {a.v >> n};
}
HADES_INLINE F32 bits_to_f32(I32 a) {
    F32 result;
    memcpy(&result.v, &a.v, sizeof result.v);
    return result;
}
HADES_INLINE I32 f32_to_bits(F32 a) {
    I32 result;
    memcpy(&result.v, &a.v, sizeof result.v);
    return result;
}

// In two steps, because 2^n itself may be out of range where a * 2^n is not.
HADES_INLINE F32 ldexp(F32 a, F32 n) {
    const F32 half = floor(n * set1(0.5f));
    const I32 bias = set1(int32_t{127});
    const F32 first_power = bits_to_f32(shift_left<23>(to_i32(half) + bias));
    const F32 second_power = bits_to_f32(shift_left<23>(to_i32(n - half) + bias));
    return a * first_power * second_power;
}

HADES_INLINE F32 load_u8(const uint8_t* p) { return {static_cast<float>(*p)}; }
HADES_INLINE F32 load_u8_n(const uint8_t* p, int n) {
    return {n > 0 ? static_cast<float>(*p) : 0.0f};
}
HADES_INLINE void store_u8(uint8_t* p, F32 a) {
    const int32_t rounded = to_i32(a).v;
    *p = static_cast<uint8_t>(rounded < 0 ? 0 : rounded > 255 ? 255 : rounded);
}
HADES_INLINE void store_u8_n(uint8_t* p, F32 a, int n) {
    if (n > 0) store_u8(p, a);
}

}  // namespace hades::HADES_ISA
