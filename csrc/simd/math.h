#pragma once
#include <cmath>

#include "simd/simd.h"

// Elementary functions over F32, written once on the vocabulary of simd.h.
//
// Errors are in units in the last place of the result against float64, over all finite inputs whose
// result is a normal number; tests/kernels/test_elementwise.py measures them on every tier.
// Zeros, infinities and NaN give what the mathematical limit says (silu(-inf) is 0, not NaN).
// Denormal inputs and results count as zero: the workers of a Team run with FTZ and DAZ set.
// Polynomial coefficients are weighted minimax fits (Lawson's iteration in float64) of this
// project.
namespace hades::HADES_ISA {

HADES_INLINE F32 polynomial(F32, float c0) { return set1(c0); }
// Horner: c0 + x * (c1 + x * (c2 + ...)).
template <class... Rest>
HADES_INLINE F32 polynomial(F32 x, float c0, Rest... rest) {
    return fma(polynomial(x, rest...), x, set1(c0));
}

// Applies a function of libm lane by lane: for functions that are rare in networks.
template <class Function>
HADES_INLINE F32 per_lane(Function function, F32 a) {
    float lanes[kLanes];
    store(lanes, a);
    for (int i = 0; i < kLanes; ++i) lanes[i] = function(lanes[i]);
    return load(lanes);
}
template <class Function>
HADES_INLINE F32 per_lane(Function function, F32 a, F32 b) {
    float first_lanes[kLanes], second_lanes[kLanes];
    store(first_lanes, a);
    store(second_lanes, b);
    for (int i = 0; i < kLanes; ++i) first_lanes[i] = function(first_lanes[i], second_lanes[i]);
    return load(first_lanes);
}

HADES_INLINE F32 reciprocal(F32 x) { return set1(1.0f) / x; }

// Clamps that keep NaN, see the note on min and max in simd.h.
HADES_INLINE F32 at_least(float lower, F32 x) { return max(set1(lower), x); }
HADES_INLINE F32 at_most(float upper, F32 x) { return min(set1(upper), x); }

// x = n * log(2) + r with whole n and |r| <= log(2) / 2. log(2) is split so that n * high is exact.
struct Reduced {
    F32 n, r;
};
HADES_INLINE Reduced reduce_exponent(F32 x) {
    const F32 n = round_even(x * set1(0x1.715476p+0f));
    const F32 high = fnma(n, set1(0x1.63p-1f), x);
    return {n, fnma(n, set1(-0x1.bd0106p-13f), high)};
}

// 1.5 ulp.
HADES_INLINE F32 exp(F32 x) {
    const Reduced to = reduce_exponent(at_least(-104.0f, at_most(89.0f, x)));
    const F32 tail = polynomial(to.r, 0x1.fffffcp-2f, 0x1.55549p-3f, 0x1.5558f4p-5f, 0x1.123a6cp-7f,
                                0x1.6a2352p-10f);
    const F32 power = fma(to.r * to.r, tail, to.r) + set1(1.0f);
    return ldexp(power, to.n);
}

// exp(x) - 1 without cancellation near 0, 2 ulp. Computed as twice its half, so that the power of
// two stays finite until the result overflows.
HADES_INLINE F32 expm1(F32 x) {
    const Reduced to = reduce_exponent(at_least(-104.0f, at_most(89.0f, x)));
    const F32 tail = polynomial(to.r, 0x1.fffffep-2f, 0x1.5554bp-3f, 0x1.555674p-5f, 0x1.1227f6p-7f,
                                0x1.6bebf2p-10f);
    const F32 half_power = ldexp(set1(0.5f), to.n);
    const F32 half = fma(half_power, fma(to.r * to.r, tail, to.r), half_power - set1(0.5f));
    return half + half;
}

// 1.5 ulp. log(0) is -inf, of a negative number NaN.
HADES_INLINE F32 log(F32 x) {
    constexpr float kSmallest = 0x1p-126f;
    // x = 2^e * m with m in [sqrt(1/2), sqrt(2)).
    const I32 bits = f32_to_bits(x);
    const I32 exponent = shift_right<23>(bits - set1(int32_t{0x3f3504f3}));
    const F32 e = to_f32(exponent);
    const F32 f = bits_to_f32(bits - shift_left<23>(exponent)) - set1(1.0f);
    const F32 square = f * f;
    const F32 tail = polynomial(f, 0x1.555554p-2f, -0x1.000226p-2f, 0x1.99a008p-3f, -0x1.547244p-3f,
                                0x1.22da1cp-3f, -0x1.0d8542p-3f, 0x1.055b72p-3f, -0x1.38b58ap-4f);
    F32 low = fma(square * f, tail, e * set1(-0x1.bd0106p-13f));
    low = fnma(square, set1(0.5f), low);
    F32 y = fma(e, set1(0x1.63p-1f), f + low);
    y = select(less(x, set1(kSmallest)), set1(-HUGE_VALF), y);
    y = select(less_equal(x, set1(-kSmallest)), set1(NAN), y);
    return select(less(x, set1(HUGE_VALF)), y, x);  // +inf and NaN are their own logarithms
}

// log(1 + t) for t in [0, 1], 2.5 ulp: adds back what rounding 1 + t has lost.
HADES_INLINE F32 log1p_unit(F32 t) {
    const F32 u = set1(1.0f) + t;
    return log(u) + (t - (u - set1(1.0f))) / u;
}

// 3 ulp.
HADES_INLINE F32 tanh(F32 x) {
    const F32 t = expm1(at_most(16.0f, abs(x)) * set1(-2.0f));
    return copysign(t / (t + set1(2.0f)), x);
}

// 1.5 ulp. Below 0.95 an odd polynomial, above 1 - exp(polynomial).
HADES_INLINE F32 erf(F32 x) {
    const F32 magnitude = at_most(4.0f, abs(x));
    const F32 square = magnitude * magnitude;
    const F32 small = polynomial(square, 0x1.06eba6p-3f, -0x1.8126c8p-2f, 0x1.ce1596p-4f,
                                 -0x1.b6447ap-6f, 0x1.459cc2p-8f, -0x1.338a12p-11f);
    const F32 exponent =
        polynomial(magnitude, 0x1.9a5bd2p-13f, 0x1.20af5ap+0f, 0x1.463cc0p-1f, 0x1.a9b430p-4f,
                   -0x1.6c2a7ap-6f, 0x1.8ee176p-9f, -0x1.9ae90ep-13f);
    const F32 large = set1(1.0f) - exp(negate(exponent));
    const F32 y = select(less(magnitude, set1(0.95f)), fma(magnitude, small, magnitude), large);
    return copysign(y, x);
}

HADES_INLINE F32 relu(F32 x) { return at_least(0.0f, x); }
HADES_INLINE F32 leaky_relu(F32 x, F32 alpha) { return select(less(x, zero()), x * alpha, x); }
HADES_INLINE F32 clip(F32 x, F32 lower, F32 upper) { return min(upper, max(lower, x)); }

// 2.5 ulp; 0 below -88.
HADES_INLINE F32 sigmoid(F32 x) { return reciprocal(set1(1.0f) + exp(negate(x))); }

// x * sigmoid(x), 3 ulp; -0 below -88, where exp(-x) overflows.
HADES_INLINE F32 silu(F32 x) {
    const F32 bounded = at_least(-128.0f, x);
    return bounded / (set1(1.0f) + exp(negate(bounded)));
}

// 2^x for x in [-125, 0] within 3e-7, and 1 at 0. A whole number is split off by adding 1.5 * 2^23,
// which leaves it in the low mantissa bits.
HADES_INLINE F32 exp2_near_zero(F32 x) {
    const F32 magic = set1(0x1.8p23f);
    const F32 shifted = x + magic;
    const F32 f = x - (shifted - magic);
    const F32 power = polynomial(f, 1.0f, 0x1.62e42ap-1f, 0x1.ebf9bcp-3f, 0x1.c6b752p-5f,
                                 0x1.3cea88p-7f, 0x1.5bba14p-10f);
    return bits_to_f32(f32_to_bits(power) + shift_left<23>(f32_to_bits(shifted)));
}

// x * Phi(x). 3 ulp for x >= 0; for x < 0 within 2.5e-7 * |x|, as 1 + erf cancels. What is added to
// 1 needs erf within an absolute error only: 1 - 2^polynomial, which is half as long as erf. In two
// steps, because it is a chain of 24 operations: of whole ones, the processor sees too few at once
// to keep its units busy.
HADES_INLINE F32 gelu_erf_exponent(F32 x) {
    const F32 bounded = at_least(-16.0f, x);
    const F32 magnitude = at_most(3.9375f, abs(bounded) * set1(0x1.6a09e6p-1f));
    const F32 exponent =
        polynomial(magnitude, -0x1.a0be9ep+0f, -0x1.d63aacp-1f, -0x1.30171ep-3f, 0x1.cee854p-6f,
                   -0x1.961864p-11f, -0x1.8675d4p-10f, 0x1.d32a7cp-12f, -0x1.7c83d4p-15f);
    return exponent * magnitude;
}
HADES_INLINE F32 gelu_erf_of_exponent(F32 x, F32 exponent) {
    const F32 bounded = at_least(-16.0f, x);
    const F32 half = bounded * set1(0.5f);
    const F32 erf = set1(1.0f) - exp2_near_zero(exponent);
    return fma(half, copysign(erf, bounded), half);
}
HADES_INLINE F32 gelu_erf(F32 x) { return gelu_erf_of_exponent(x, gelu_erf_exponent(x)); }

// x * (1 + tanh(u)) / 2 = x * sigmoid(2 u) with 2 u = sqrt(8 / pi) * (x + 0.044715 x^3).
// 3 ulp for x >= 0; for x < 0 within 2.5e-7 * |x|.
HADES_INLINE F32 gelu_tanh(F32 x) {
    const F32 bounded = at_least(-16.0f, x);
    const F32 cubic = fma(bounded * bounded, set1(0.044715f), set1(1.0f)) * bounded;
    return bounded / (set1(1.0f) + exp(cubic * set1(-0x1.988454p+0f)));
}

HADES_INLINE F32 hard_sigmoid(F32 x, F32 alpha, F32 beta) {
    return at_least(0.0f, at_most(1.0f, fma(alpha, x, beta)));
}

// x * clip(x / 6 + 1 / 2, 0, 1), 2 ulp.
HADES_INLINE F32 hard_swish(F32 x) {
    const F32 bounded = at_least(-3.0f, x);
    const F32 gate = at_least(0.0f, at_most(6.0f, bounded + set1(3.0f)));
    return bounded * (gate / set1(6.0f));
}

// log(1 + exp(x)), 3 ulp.
HADES_INLINE F32 softplus(F32 x) { return at_least(0.0f, x) + log1p_unit(exp(negate(abs(x)))); }

HADES_INLINE F32 softsign(F32 x) {
    const F32 bounded = at_least(-0x1p126f, at_most(0x1p126f, x));
    return bounded / (set1(1.0f) + abs(bounded));
}

// x * tanh(softplus(x)) = x * n / (n + 2) with n = e^x (e^x + 2), 4 ulp.
HADES_INLINE F32 mish(F32 x) {
    const F32 bounded = at_least(-128.0f, x);
    const F32 e = exp(at_most(20.0f, bounded));
    const F32 n = e * (e + set1(2.0f));
    return bounded * (n / (n + set1(2.0f)));
}

// alpha * (exp(x) - 1) for x < 0, else x.
HADES_INLINE F32 elu(F32 x, F32 alpha) {
    return select(less(x, zero()), alpha * expm1(at_most(0.0f, x)), x);
}

}  // namespace hades::HADES_ISA
