#pragma once
#include "base/epilogue.h"
#include "simd/math.h"

// The activations of an epilogue over F32. `apply` may be called per vector: its switch is on a
// loop invariant and predicts perfectly. Where even that costs, `with_activation` hoists it:
//     with_activation(params.kind, [&](auto kind) { ... apply<kind.value>(params, x) ... });
namespace hades::HADES_ISA {

template <Activation kind>
HADES_INLINE F32 apply(const ActivationParams& params, F32 x) {
    if constexpr (kind == Activation::relu) return max(zero(), x);
    if constexpr (kind == Activation::leaky_relu)
        return select(less(x, zero()), x * set1(params.alpha), x);
    if constexpr (kind == Activation::clip)
        return min(set1(params.beta), max(set1(params.alpha), x));
    if constexpr (kind == Activation::sigmoid) return sigmoid(x);
    if constexpr (kind == Activation::hard_sigmoid)
        return hard_sigmoid(x, set1(params.alpha), set1(params.beta));
    if constexpr (kind == Activation::hard_swish) return hard_swish(x);
    if constexpr (kind == Activation::silu) return silu(x);
    if constexpr (kind == Activation::gelu_erf) return gelu_erf(x);
    if constexpr (kind == Activation::gelu_tanh) return gelu_tanh(x);
    if constexpr (kind == Activation::tanh) return tanh(x);
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
        case Activation::relu:
            return body(ActivationKind<Activation::relu>{});
        case Activation::leaky_relu:
            return body(ActivationKind<Activation::leaky_relu>{});
        case Activation::clip:
            return body(ActivationKind<Activation::clip>{});
        case Activation::sigmoid:
            return body(ActivationKind<Activation::sigmoid>{});
        case Activation::hard_sigmoid:
            return body(ActivationKind<Activation::hard_sigmoid>{});
        case Activation::hard_swish:
            return body(ActivationKind<Activation::hard_swish>{});
        case Activation::silu:
            return body(ActivationKind<Activation::silu>{});
        case Activation::gelu_erf:
            return body(ActivationKind<Activation::gelu_erf>{});
        case Activation::gelu_tanh:
            return body(ActivationKind<Activation::gelu_tanh>{});
        case Activation::tanh:
            return body(ActivationKind<Activation::tanh>{});
    }
}

// Out of line: a kernel has one copy of the exponentials however often it calls this.
__attribute__((noinline, unused)) static F32 apply_transcendental(const ActivationParams& params,
                                                                  F32 x) {
    F32 y = x;
    with_activation(params.kind, [&](auto kind) { y = apply<kind.value>(params, x); });
    return y;
}

HADES_INLINE F32 apply(const ActivationParams& params, F32 x) {
    switch (params.kind) {
        case Activation::none:
            return x;
        case Activation::relu:
            return apply<Activation::relu>(params, x);
        case Activation::leaky_relu:
            return apply<Activation::leaky_relu>(params, x);
        case Activation::clip:
            return apply<Activation::clip>(params, x);
        default:
            return apply_transcendental(params, x);
    }
}

}  // namespace hades::HADES_ISA
