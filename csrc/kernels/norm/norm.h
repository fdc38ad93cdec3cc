#pragma once
#include <cstdint>

// Normalisation of rows: y = (x - shift) * scale * weight + bias over the last axis.
namespace hades {

struct NormRowsArgs {
    const float* x;
    const float* weight;    // [n] or nullptr
    const float* bias;      // [n] or nullptr
    const float* residual;  // rows like x, added to x first, or nullptr
    float* y;
    int64_t rows, n;
    int64_t x_stride, residual_stride, y_stride;  // elements between rows
    float epsilon;
};

using NormRows = void(const NormRowsArgs&);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/norm/norm.inc"
#undef HADES_KERNEL

}  // namespace hades
