#pragma once
#include <cmath>

#include "simd/storage.h"

// Function objects for the typed loops: typed::name_fn of every row of base/functions.inc that has
// dtypes. `call` computes in float, double, an integer or bool. Floats follow IEEE 754 through
// libm.
//
// Integers never trap and never overflow undefined: + - * wrap around, x / 0 and x mod 0 are 0,
// division truncates towards zero, shifts by an amount outside [0, bits) shift everything out.
namespace hades::HADES_ISA::typed {

#define HADES_UNARY(name, body)              \
    struct name##_fn {                       \
        template <class T>                   \
        HADES_INLINE_MEMBER auto call(T x) { \
            body                             \
        }                                    \
    };
#define HADES_BINARY(name, body)                  \
    struct name##_fn {                            \
        template <class T>                        \
        HADES_INLINE_MEMBER auto call(T a, T b) { \
            body                                  \
        }                                         \
    };
#define HADES_INLINE_MEMBER static inline __attribute__((always_inline))

// libm, chosen by the compute type without the overloads of <cmath>, which are external inlines.
#define HADES_MATH(name, x)                                                      \
    (sizeof(x) == 4 ? static_cast<T>(__builtin_##name##f(static_cast<float>(x))) \
                    : static_cast<T>(__builtin_##name(static_cast<double>(x))))
#define HADES_MATH2(name, x, y)                                                              \
    (sizeof(x) == 4                                                                          \
         ? static_cast<T>(__builtin_##name##f(static_cast<float>(x), static_cast<float>(y))) \
         : static_cast<T>(__builtin_##name(static_cast<double>(x), static_cast<double>(y))))

HADES_UNARY(copy, return x;)
HADES_UNARY(abs, {
    if constexpr (kIsFloat<T>)
        return HADES_MATH(fabs, x);
    else if constexpr (kIsSigned<T>)
        return static_cast<T>(x < 0 ? Wrapping<T>(0) - Wrapping<T>(x) : Wrapping<T>(x));
    else
        return x;
})
HADES_UNARY(neg, {
    if constexpr (kIsFloat<T>)
        return -x;
    else
        return static_cast<T>(Wrapping<T>(0) - Wrapping<T>(x));
})
HADES_UNARY(sign, {
    if constexpr (kIsFloat<T>)
        return x < 0 ? T(-1) : x > 0 ? T(1) : x;
    else
        return static_cast<T>((x > T(0)) - (kIsSigned<T> && x < T(0)));
})
HADES_UNARY(square, {
    if constexpr (kIsFloat<T>)
        return x * x;
    else
        return static_cast<T>(Wrapping<T>(x) * Wrapping<T>(x));
})
HADES_UNARY(round_bfloat16, {
    if constexpr (kIsFloat<T>)
        return static_cast<T>(to_float(to_bfloat16(static_cast<float>(x))));
    else
        return x;
})
HADES_UNARY(relu, return x < T(0) ? T(0) : x;)
HADES_UNARY(not, return !x;)
HADES_UNARY(bitwise_not, return static_cast<T>(~x);)
HADES_UNARY(is_nan, return x != x;)
HADES_UNARY(is_inf, return HADES_MATH(fabs, x) == T(HUGE_VAL);)
HADES_UNARY(is_positive_inf, return x == T(HUGE_VAL);)
HADES_UNARY(is_negative_inf, return x == -T(HUGE_VAL);)

HADES_UNARY(floor, return HADES_MATH(floor, x);)
HADES_UNARY(ceil, return HADES_MATH(ceil, x);)
HADES_UNARY(round, return HADES_MATH(rint, x);)
HADES_UNARY(sqrt, return HADES_MATH(sqrt, x);)
HADES_UNARY(reciprocal, return T(1) / x;)
HADES_UNARY(exp, return HADES_MATH(exp, x);)
HADES_UNARY(log, return HADES_MATH(log, x);)
HADES_UNARY(erf, return HADES_MATH(erf, x);)
HADES_UNARY(sin, return HADES_MATH(sin, x);)
HADES_UNARY(cos, return HADES_MATH(cos, x);)
HADES_UNARY(tan, return HADES_MATH(tan, x);)
HADES_UNARY(asin, return HADES_MATH(asin, x);)
HADES_UNARY(acos, return HADES_MATH(acos, x);)
HADES_UNARY(atan, return HADES_MATH(atan, x);)
HADES_UNARY(sinh, return HADES_MATH(sinh, x);)
HADES_UNARY(cosh, return HADES_MATH(cosh, x);)
HADES_UNARY(tanh, return HADES_MATH(tanh, x);)
HADES_UNARY(asinh, return HADES_MATH(asinh, x);)
HADES_UNARY(acosh, return HADES_MATH(acosh, x);)
HADES_UNARY(atanh, return HADES_MATH(atanh, x);)

// The limits at -inf are those of csrc/simd/math.h.
HADES_UNARY(sigmoid, return T(1) / (T(1) + HADES_MATH(exp, -x));)
HADES_UNARY(silu, {
    const T bounded = x < T(-1024) ? T(-1024) : x;
    return bounded / (T(1) + HADES_MATH(exp, -bounded));
})
HADES_UNARY(gelu_erf, {
    const T bounded = x < T(-64) ? T(-64) : x;
    return bounded * T(0.5) * HADES_MATH(erfc, bounded * T(-0.70710678118654752440));
})
HADES_UNARY(gelu_tanh, {
    const T bounded = x < T(-64) ? T(-64) : x;
    const T inner = (bounded * bounded * T(0.044715) + T(1)) * bounded;
    return bounded / (T(1) + HADES_MATH(exp, inner * T(-1.59576912160573071176)));
})
HADES_UNARY(hard_swish, {
    const T bounded = x < T(-3) ? T(-3) : x;
    return bounded > T(3) ? bounded : bounded * (bounded + T(3)) / T(6);
})
HADES_UNARY(softplus, {
    const T tail = HADES_MATH(log1p, HADES_MATH(exp, -HADES_MATH(fabs, x)));
    return x < T(0) ? tail : x + tail;
})
HADES_UNARY(mish, {
    const T bounded = x < T(-1024) ? T(-1024) : x;
    const T tail = HADES_MATH(log1p, HADES_MATH(exp, -HADES_MATH(fabs, bounded)));
    return bounded * HADES_MATH(tanh, (bounded < T(0) ? tail : bounded + tail));
})
HADES_UNARY(softsign, {
    const T magnitude = HADES_MATH(fabs, x);
    return magnitude == T(HUGE_VAL) ? HADES_MATH2(copysign, T(1), x) : x / (T(1) + magnitude);
})

// A double becomes a float with a sticky last bit first, so that it is rounded once.
HADES_UNARY(round_float16, {
    auto narrow = static_cast<float>(x);
    const auto back = static_cast<T>(narrow);
    if (x < back || x > back) {
        const bool beyond = HADES_MATH(fabs, back) > HADES_MATH(fabs, x);
        narrow = float_of((bits_of(narrow) - (beyond ? 1u : 0u)) | 1u);
    }
    return static_cast<T>(to_float(to_float16(narrow)));
})

HADES_BINARY(add, {
    if constexpr (kIsFloat<T>)
        return a + b;
    else
        return static_cast<T>(Wrapping<T>(a) + Wrapping<T>(b));
})
HADES_BINARY(sub, {
    if constexpr (kIsFloat<T>)
        return a - b;
    else
        return static_cast<T>(Wrapping<T>(a) - Wrapping<T>(b));
})
HADES_BINARY(mul, {
    if constexpr (kIsFloat<T>)
        return a * b;
    else
        return static_cast<T>(Wrapping<T>(a) * Wrapping<T>(b));
})
HADES_BINARY(div, {
    if constexpr (kIsFloat<T>)
        return a / b;
    else if (b == T(0))
        return T(0);
    // The smallest integer divided by -1 overflows; negation wraps.
    else if (kIsSigned<T> && b == static_cast<T>(-1))
        return static_cast<T>(Wrapping<T>(0) - Wrapping<T>(a));
    else
        return static_cast<T>(a / b);
})
// The sign of the dividend.
HADES_BINARY(fmod, {
    if constexpr (kIsFloat<T>)
        return HADES_MATH2(fmod, a, b);
    else if (b == T(0) || (kIsSigned<T> && b == static_cast<T>(-1)))
        return T(0);
    else
        return static_cast<T>(a % b);
})
// The sign of the divisor.
HADES_BINARY(mod, {
    const T rest = fmod_fn::call(a, b);
    return rest != T(0) && (rest < T(0)) != (b < T(0)) ? static_cast<T>(rest + b) : rest;
})
// Integers wrap around; a negative exponent gives the truncated quotient, 0 but for bases 1 and -1.
HADES_BINARY(pow, {
    if constexpr (kIsFloat<T>) {
        return HADES_MATH2(pow, a, b);
    } else {
        if (kIsSigned<T> && b < T(0)) {
            const bool odd = (b & T(1)) != 0;
            return a == T(1) ? T(1) : a == static_cast<T>(-1) ? static_cast<T>(odd ? -1 : 1) : T(0);
        }
        Wrapping<T> result = 1;
        Wrapping<T> power = Wrapping<T>(a);
        for (Wrapping<T> bits = Wrapping<T>(b); bits; bits >>= 1) {
            if (bits & 1) result *= power;
            power *= power;
        }
        return static_cast<T>(result);
    }
})
// NaN in either operand gives NaN.
HADES_BINARY(min, return a < b || a != a ? a : b;)
HADES_BINARY(max, return a > b || a != a ? a : b;)

HADES_BINARY(equal, return a == b;)
HADES_BINARY(less, return a < b;)
HADES_BINARY(less_equal, return a <= b;)
HADES_BINARY(greater, return a > b;)
HADES_BINARY(greater_equal, return a >= b;)
HADES_BINARY(and, return a && b;)
HADES_BINARY(or, return a || b;)
HADES_BINARY(xor, return a != b;)
HADES_BINARY(bitwise_and, return static_cast<T>(a & b);)
HADES_BINARY(bitwise_or, return static_cast<T>(a | b);)
HADES_BINARY(bitwise_xor, return static_cast<T>(a ^ b);)
HADES_BINARY(shift_left, {
    if (b < T(0) || b >= T(sizeof(T) * 8)) return T(0);
    return static_cast<T>(Wrapping<T>(a) << b);
})
HADES_BINARY(shift_right, {
    if (b < T(0) || b >= T(sizeof(T) * 8)) return static_cast<T>(kIsSigned<T> && a < T(0) ? -1 : 0);
    return static_cast<T>(a >> b);
})

#undef HADES_UNARY
#undef HADES_BINARY
#undef HADES_INLINE_MEMBER
#undef HADES_MATH
#undef HADES_MATH2

}  // namespace hades::HADES_ISA::typed
