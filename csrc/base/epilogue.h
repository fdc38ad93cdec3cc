#pragma once
#include <cstdint>

#include "base/macros.h"

namespace hades {

// What a matrix or convolution kernel does to a finished accumulator before it stores it:
//   y = after(activation(accumulator + bias) + residual)
// The activations are those of functions.inc; alpha and beta are their second and third operand.
enum class Activation : int32_t {
    none,
#define HADES_ENUMERATOR_no(name)
#define HADES_ENUMERATOR_cheap(name) name,
#define HADES_ENUMERATOR_costly(name) name,
#define HADES_FUNCTION(name, operands, number, program, dtypes, predicate, activation) \
    HADES_ENUMERATOR_##activation(name)
#include "base/functions.inc"
#undef HADES_FUNCTION
#undef HADES_ENUMERATOR_no
#undef HADES_ENUMERATOR_cheap
#undef HADES_ENUMERATOR_costly
};

struct ActivationParams {
    Activation kind = Activation::none;
    float alpha = 0.0f;
    float beta = 0.0f;
};

struct Epilogue {
    ActivationParams activation;
    ActivationParams after;
};

}  // namespace hades
