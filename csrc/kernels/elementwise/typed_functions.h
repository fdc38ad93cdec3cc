#pragma once
#include <cmath>

#include "simd/storage.h"

// Function objects for the typed loops. `domain` says for which dtypes a function is defined;
// `call` computes in float, double, an integer or bool. Floats follow IEEE 754 through libm.
//
// Integers never trap and never overflow undefined: + - * wrap around, x / 0 and x mod 0 are 0,
// division truncates towards zero, shifts by an amount outside [0, bits) shift everything out.
namespace hades::HADES_ISA::typed {

#define HADES_UNARY(Name, domain_, body)       \
    struct Name {                              \
        static constexpr int domain = domain_; \
        template <class T>                     \
        HADES_INLINE_MEMBER auto call(T x) {   \
            body                               \
        }                                      \
    };
#define HADES_BINARY(Name, domain_, body)         \
    struct Name {                                 \
        static constexpr int domain = domain_;    \
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

HADES_UNARY(Copy, kAll, return x;)
HADES_UNARY(Abs, kNumber, {
    if constexpr (kIsFloat<T>)
        return HADES_MATH(fabs, x);
    else if constexpr (kIsSigned<T>)
        return static_cast<T>(x < 0 ? Wrapping<T>(0) - Wrapping<T>(x) : Wrapping<T>(x));
    else
        return x;
})
HADES_UNARY(Neg, kNumber, {
    if constexpr (kIsFloat<T>)
        return -x;
    else
        return static_cast<T>(Wrapping<T>(0) - Wrapping<T>(x));
})
HADES_UNARY(Sign, kNumber, {
    if constexpr (kIsFloat<T>)
        return x < 0 ? T(-1) : x > 0 ? T(1) : x;
    else
        return static_cast<T>((x > T(0)) - (kIsSigned<T> && x < T(0)));
})
HADES_UNARY(Square, kNumber, {
    if constexpr (kIsFloat<T>)
        return x * x;
    else
        return static_cast<T>(Wrapping<T>(x) * Wrapping<T>(x));
})
HADES_UNARY(Relu, kNumber, return x < T(0) ? T(0) : x;)
HADES_UNARY(Not, kBoolean, return !x;)
HADES_UNARY(BitwiseNot, kInteger, return static_cast<T>(~x);)
HADES_UNARY(IsNan, kFloating, return x != x;)
HADES_UNARY(IsInf, kFloating, return HADES_MATH(fabs, x) == T(HUGE_VAL);)
HADES_UNARY(IsPositiveInf, kFloating, return x == T(HUGE_VAL);)
HADES_UNARY(IsNegativeInf, kFloating, return x == -T(HUGE_VAL);)

HADES_UNARY(Floor, kFloating, return HADES_MATH(floor, x);)
HADES_UNARY(Ceil, kFloating, return HADES_MATH(ceil, x);)
HADES_UNARY(Round, kFloating, return HADES_MATH(rint, x);)
HADES_UNARY(Sqrt, kFloating, return HADES_MATH(sqrt, x);)
HADES_UNARY(Reciprocal, kFloating, return T(1) / x;)
HADES_UNARY(Exp, kFloating, return HADES_MATH(exp, x);)
HADES_UNARY(Log, kFloating, return HADES_MATH(log, x);)
HADES_UNARY(Erf, kFloating, return HADES_MATH(erf, x);)
HADES_UNARY(Sin, kFloating, return HADES_MATH(sin, x);)
HADES_UNARY(Cos, kFloating, return HADES_MATH(cos, x);)
HADES_UNARY(Tan, kFloating, return HADES_MATH(tan, x);)
HADES_UNARY(Asin, kFloating, return HADES_MATH(asin, x);)
HADES_UNARY(Acos, kFloating, return HADES_MATH(acos, x);)
HADES_UNARY(Atan, kFloating, return HADES_MATH(atan, x);)
HADES_UNARY(Sinh, kFloating, return HADES_MATH(sinh, x);)
HADES_UNARY(Cosh, kFloating, return HADES_MATH(cosh, x);)
HADES_UNARY(Tanh, kFloating, return HADES_MATH(tanh, x);)
HADES_UNARY(Asinh, kFloating, return HADES_MATH(asinh, x);)
HADES_UNARY(Acosh, kFloating, return HADES_MATH(acosh, x);)
HADES_UNARY(Atanh, kFloating, return HADES_MATH(atanh, x);)

// The limits at -inf are those of csrc/simd/math.h.
HADES_UNARY(Sigmoid, kFloating, return T(1) / (T(1) + HADES_MATH(exp, -x));)
HADES_UNARY(Silu, kFloating, {
    const T bounded = x < T(-1024) ? T(-1024) : x;
    return bounded / (T(1) + HADES_MATH(exp, -bounded));
})
HADES_UNARY(GeluErf, kFloating, {
    const T bounded = x < T(-64) ? T(-64) : x;
    return bounded * T(0.5) * HADES_MATH(erfc, bounded * T(-0.70710678118654752440));
})
HADES_UNARY(GeluTanh, kFloating, {
    const T bounded = x < T(-64) ? T(-64) : x;
    const T inner = (bounded * bounded * T(0.044715) + T(1)) * bounded;
    return bounded / (T(1) + HADES_MATH(exp, inner * T(-1.59576912160573071176)));
})
HADES_UNARY(HardSwish, kFloating, {
    const T bounded = x < T(-3) ? T(-3) : x;
    return bounded > T(3) ? bounded : bounded * (bounded + T(3)) / T(6);
})
HADES_UNARY(Softplus, kFloating, {
    const T tail = HADES_MATH(log1p, HADES_MATH(exp, -HADES_MATH(fabs, x)));
    return x < T(0) ? tail : x + tail;
})
HADES_UNARY(Mish, kFloating, {
    const T bounded = x < T(-1024) ? T(-1024) : x;
    const T tail = HADES_MATH(log1p, HADES_MATH(exp, -HADES_MATH(fabs, bounded)));
    return bounded * HADES_MATH(tanh, (bounded < T(0) ? tail : bounded + tail));
})
HADES_UNARY(Softsign, kFloating, {
    const T magnitude = HADES_MATH(fabs, x);
    return magnitude == T(HUGE_VAL) ? HADES_MATH2(copysign, T(1), x) : x / (T(1) + magnitude);
})

HADES_BINARY(Add, kNumber, {
    if constexpr (kIsFloat<T>)
        return a + b;
    else
        return static_cast<T>(Wrapping<T>(a) + Wrapping<T>(b));
})
HADES_BINARY(Sub, kNumber, {
    if constexpr (kIsFloat<T>)
        return a - b;
    else
        return static_cast<T>(Wrapping<T>(a) - Wrapping<T>(b));
})
HADES_BINARY(Mul, kNumber, {
    if constexpr (kIsFloat<T>)
        return a * b;
    else
        return static_cast<T>(Wrapping<T>(a) * Wrapping<T>(b));
})
HADES_BINARY(Div, kNumber, {
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
HADES_BINARY(Fmod, kNumber, {
    if constexpr (kIsFloat<T>)
        return HADES_MATH2(fmod, a, b);
    else if (b == T(0) || (kIsSigned<T> && b == static_cast<T>(-1)))
        return T(0);
    else
        return static_cast<T>(a % b);
})
// The sign of the divisor.
HADES_BINARY(Mod, kNumber, {
    const T rest = Fmod::call(a, b);
    return rest != T(0) && (rest < T(0)) != (b < T(0)) ? static_cast<T>(rest + b) : rest;
})
// Integers wrap around; a negative exponent gives the truncated quotient, 0 but for bases 1 and -1.
HADES_BINARY(Pow, kNumber, {
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
HADES_BINARY(Min, kAll, return a < b || a != a ? a : b;)
HADES_BINARY(Max, kAll, return a > b || a != a ? a : b;)

HADES_BINARY(Equal, kAll, return a == b;)
HADES_BINARY(Less, kAll, return a < b;)
HADES_BINARY(LessEqual, kAll, return a <= b;)
HADES_BINARY(Greater, kAll, return a > b;)
HADES_BINARY(GreaterEqual, kAll, return a >= b;)
HADES_BINARY(And, kBoolean, return a && b;)
HADES_BINARY(Or, kBoolean, return a || b;)
HADES_BINARY(Xor, kBoolean, return a != b;)
HADES_BINARY(BitwiseAnd, kInteger, return static_cast<T>(a & b);)
HADES_BINARY(BitwiseOr, kInteger, return static_cast<T>(a | b);)
HADES_BINARY(BitwiseXor, kInteger, return static_cast<T>(a ^ b);)
HADES_BINARY(ShiftLeft, kInteger, {
    if (b < T(0) || b >= T(sizeof(T) * 8)) return T(0);
    return static_cast<T>(Wrapping<T>(a) << b);
})
HADES_BINARY(ShiftRight, kInteger, {
    if (b < T(0) || b >= T(sizeof(T) * 8)) return static_cast<T>(kIsSigned<T> && a < T(0) ? -1 : 0);
    return static_cast<T>(a >> b);
})

#undef HADES_UNARY
#undef HADES_BINARY
#undef HADES_INLINE_MEMBER
#undef HADES_MATH
#undef HADES_MATH2

}  // namespace hades::HADES_ISA::typed
