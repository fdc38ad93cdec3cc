#pragma once
#include <cstdint>

#include "base/macros.h"

namespace hades {

// What a matrix or convolution kernel does to a finished accumulator before it stores it:
//   y = after(activation(accumulator + bias) + residual)
enum class Activation : int32_t {
    none,
    relu,
    leaky_relu,  // alpha: slope
    clip,        // alpha: lower, beta: upper
    sigmoid,
    hard_sigmoid,  // alpha * x + beta clipped to [0, 1]
    hard_swish,
    silu,
    gelu_erf,
    gelu_tanh,
    tanh,
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
