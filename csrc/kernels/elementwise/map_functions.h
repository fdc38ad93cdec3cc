#pragma once
#include "simd/math.h"
#include "simd/narrow.h"

// The functions of base/functions.inc over F32. Trigonometric and hyperbolic functions, pow and
// fmod go through libm lane by lane on every tier.
namespace hades::HADES_ISA::functions {

using HADES_ISA::abs;
using HADES_ISA::ceil;
using HADES_ISA::clip;
using HADES_ISA::elu;
using HADES_ISA::erf;
using HADES_ISA::exp;
using HADES_ISA::floor;
using HADES_ISA::fma;
using HADES_ISA::gelu_erf;
using HADES_ISA::gelu_tanh;
using HADES_ISA::hard_sigmoid;
using HADES_ISA::hard_swish;
using HADES_ISA::leaky_relu;
using HADES_ISA::log;
using HADES_ISA::mish;
using HADES_ISA::reciprocal;
using HADES_ISA::relu;
using HADES_ISA::round_float16;
using HADES_ISA::sigmoid;
using HADES_ISA::silu;
using HADES_ISA::softplus;
using HADES_ISA::softsign;
using HADES_ISA::sqrt;
using HADES_ISA::tanh;

HADES_INLINE F32 copy(F32 x) { return x; }
HADES_INLINE F32 neg(F32 x) { return negate(x); }
HADES_INLINE F32 sign(F32 x) {
    return select(less(x, zero()), set1(-1.0f), select(less(zero(), x), set1(1.0f), x));
}
HADES_INLINE F32 round(F32 x) { return round_even(x); }
HADES_INLINE F32 round_bfloat16(F32 x) { return round_bf16(x); }
HADES_INLINE F32 square(F32 x) { return x * x; }

#define HADES_LIBM(name)                                                    \
    HADES_INLINE F32 name(F32 x) {                                          \
        return per_lane([](float v) { return __builtin_##name##f(v); }, x); \
    }
HADES_LIBM(sin)
HADES_LIBM(cos)
HADES_LIBM(tan)
HADES_LIBM(asin)
HADES_LIBM(acos)
HADES_LIBM(atan)
HADES_LIBM(sinh)
HADES_LIBM(cosh)
HADES_LIBM(asinh)
HADES_LIBM(acosh)
HADES_LIBM(atanh)
#undef HADES_LIBM
HADES_INLINE F32 pow(F32 a, F32 b) {
    return per_lane([](float x, float y) { return __builtin_powf(x, y); }, a, b);
}
HADES_INLINE F32 fmod(F32 a, F32 b) {
    return per_lane([](float x, float y) { return __builtin_fmodf(x, y); }, a, b);
}

HADES_INLINE F32 add(F32 a, F32 b) { return a + b; }
HADES_INLINE F32 sub(F32 a, F32 b) { return a - b; }
HADES_INLINE F32 mul(F32 a, F32 b) { return a * b; }
HADES_INLINE F32 div(F32 a, F32 b) { return a / b; }
// NaN in either operand gives NaN.
HADES_INLINE F32 min(F32 a, F32 b) { return select(is_nan(a), a, HADES_ISA::min(a, b)); }
HADES_INLINE F32 max(F32 a, F32 b) { return select(is_nan(a), a, HADES_ISA::max(a, b)); }

HADES_INLINE F32 celu(F32 x, F32 alpha) {
    return select(less(x, zero()), alpha * expm1(x / alpha), x);
}
HADES_INLINE F32 swish(F32 x, F32 alpha) {
    return at_least(-0x1p120f, x) / (set1(1.0f) + exp(negate(alpha * x)));
}
HADES_INLINE F32 thresholded_relu(F32 x, F32 alpha) { return select(less(alpha, x), x, zero()); }
HADES_INLINE F32 selu(F32 x, F32 alpha, F32 gamma) { return gamma * HADES_ISA::elu(x, alpha); }
HADES_INLINE F32 shrink(F32 x, F32 lambda, F32 bias) {
    const F32 inner = select(less(lambda, x), x - bias, zero());
    return select(less(x, negate(lambda)), x + bias, inner);
}

}  // namespace hades::HADES_ISA::functions
