#pragma once
#include <cstdint>

#include "base/epilogue.h"

// Normalisation: y = (x - mean) / deviation * weight + bias, over rows or over groups of channels.
namespace hades {

struct NormRowsArgs {
    const float* x;
    const float* weight;    // [n] or nullptr
    const float* bias;      // [n] or nullptr
    const float* residual;  // rows like x, added to x first, or nullptr
    float* y;
    float* mean;         // [rows] or nullptr
    float* inverse_std;  // [rows] or nullptr
    int64_t rows, n;
    int64_t x_stride, residual_stride, y_stride;  // elements between rows
    float epsilon;
};

using NormRows = void(const NormRowsArgs&);

// Adjacent groups of one image [c, s]. Strides are in elements, any.
struct NormGroupsArgs {
    const float* x;
    const float* weight;  // one per channel of these groups, or nullptr
    const float* bias;    // one per channel of these groups, or nullptr
    float* y;
    int64_t groups, channels_per_group, s;
    int64_t x_channel_stride, x_stride;
    int64_t y_channel_stride, y_stride;
    float epsilon;
    ActivationParams activation;
    float* scratch;  // 5 floats per channel of these groups
};

using NormGroups = void(const NormGroupsArgs&);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/norm/norm.inc"
#undef HADES_KERNEL

}  // namespace hades
