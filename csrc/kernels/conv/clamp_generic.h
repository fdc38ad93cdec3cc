#pragma once
#include "base/epilogue.h"
#include "base/macros.h"

// Epilogues that are intervals, which kernels apply in registers.
namespace hades::HADES_ISA {

struct Clamp {
    bool suffices;  // activation and after are none, relu or clip
    float low, high, after_low, after_high;
};

// Interval of a clamping activation; false for the others.
HADES_INLINE bool clamp_of(const ActivationParams& activation, float* low, float* high) {
    const float infinity = __builtin_inff();
    *low = activation.kind == Activation::relu ? 0.0f : -infinity;
    *high = infinity;
    if (activation.kind == Activation::clip) {
        *low = activation.alpha;
        *high = activation.beta;
    }
    return activation.kind == Activation::none || activation.kind == Activation::relu ||
           activation.kind == Activation::clip;
}

// `after` is applied in registers only where there is a residual before it.
HADES_INLINE Clamp clamp_of(const Epilogue& epilogue, bool has_residual) {
    Clamp clamp;
    clamp.suffices = clamp_of(epilogue.activation, &clamp.low, &clamp.high);
    clamp.suffices &= clamp_of(epilogue.after, &clamp.after_low, &clamp.after_high);
    clamp.suffices &= has_residual || epilogue.after.kind == Activation::none;
    return clamp;
}

}  // namespace hades::HADES_ISA
