#pragma once
#include "base/epilogue.h"
#include "simd/math.h"

// The activations of an epilogue over F32. `apply` may be called per vector: its switch is on a
// loop invariant and predicts perfectly. Where even that costs, `with_activation` hoists it:
//     with_activation(params.kind, [&](auto kind) { ... apply<kind.value>(params, x) ... });
namespace hades::HADES_ISA {

#define HADES_ACTIVATION_1(name) name(x)
#define HADES_ACTIVATION_2(name) name(x, set1(params.alpha))
#define HADES_ACTIVATION_3(name) name(x, set1(params.alpha), set1(params.beta))
#define HADES_IF_cheap(...) __VA_ARGS__
#define HADES_IF_costly(...) __VA_ARGS__

template <Activation kind>
HADES_INLINE F32 apply(const ActivationParams& params, F32 x) {
#define HADES_FUNCTION(name, operands, number, program, dtypes, predicate, activation) \
    HADES_IF_##activation(                                                             \
        if constexpr (kind == Activation::name) return HADES_ACTIVATION_##operands(name);)
#include "base/functions.inc"
#undef HADES_FUNCTION
    return x;
}

template <Activation value_>
struct ActivationKind {
    static constexpr Activation value = value_;
};

// Calls body(ActivationKind<kind>{}): one instantiation of the body per activation.
template <class Body>
HADES_INLINE void with_activation(Activation kind, const Body& body) {
    switch (kind) {
        case Activation::none:
            return body(ActivationKind<Activation::none>{});
#define HADES_FUNCTION(name, operands, number, program, dtypes, predicate, activation) \
    HADES_IF_##activation(case Activation::name : return body(ActivationKind<Activation::name>{});)
#include "base/functions.inc"
#undef HADES_FUNCTION
    }
}

// Out of line: a kernel has one copy of the exponentials however often it calls this.
__attribute__((noinline, unused)) static F32 apply_costly(const ActivationParams& params, F32 x) {
    F32 y = x;
    with_activation(params.kind, [&](auto kind) { y = apply<kind.value>(params, x); });
    return y;
}

#undef HADES_IF_costly
#define HADES_IF_costly(...)
HADES_INLINE F32 apply(const ActivationParams& params, F32 x) {
    switch (params.kind) {
        case Activation::none:
            return x;
#define HADES_FUNCTION(name, operands, number, program, dtypes, predicate, activation) \
    HADES_IF_##activation(case Activation::name : return apply<Activation::name>(params, x);)
#include "base/functions.inc"
#undef HADES_FUNCTION
        default:
            return apply_costly(params, x);
    }
}

#undef HADES_ACTIVATION_1
#undef HADES_ACTIVATION_2
#undef HADES_ACTIVATION_3
#undef HADES_IF_cheap
#undef HADES_IF_costly

}  // namespace hades::HADES_ISA
