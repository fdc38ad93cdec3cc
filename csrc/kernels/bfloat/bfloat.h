#pragma once
#include <cstdint>

// float32 to the nearest bfloat16, ties to even, element by element; NaN stays NaN. All tiers give
// the same bits.
namespace hades {

// n elements, strides in elements.
struct NarrowRun {
    const float* x;
    uint16_t* y;
    int64_t x_stride, y_stride, n;
};

using NarrowFn = void(const NarrowRun&);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/bfloat/bfloat.inc"
#undef HADES_KERNEL

}  // namespace hades
