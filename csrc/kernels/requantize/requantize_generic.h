#pragma once
#include "kernels/requantize/requantize.h"
#include "simd/simd.h"

// Formula          see requantize.h
// Registers        one vector and the constants
// Numerics         every step rounds once, so that all tiers give the same bits; the limits are
//                  integers, so that rounding after them is the same as before
namespace hades::HADES_ISA {

HADES_INLINE F32 point(F32 x, float scale, float zero) {
    const F32 steps = min(max(x / set1(scale), set1(-zero)), set1(255.0f - zero));
    return round_even(steps) + set1(zero);
}

void quantize_u8(const GridRun& run) {
    const auto* x = static_cast<const float*>(run.x);
    auto* y = static_cast<uint8_t*>(run.y);
    const float zero_point = static_cast<float>(run.zero);
    int64_t i = 0;
    if (run.x_stride == 1 && run.y_stride == 1)
        for (; i + kLanes <= run.n; i += kLanes)
            store_u8(y + i, point(load(x + i), run.scale, zero_point));
    for (; i < run.n; ++i)
        store_u8_n(y + i * run.y_stride,
                   point(load_n(x + i * run.x_stride, 1), run.scale, zero_point), 1);
}

void dequantize_u8(const GridRun& run) {
    const auto* x = static_cast<const uint8_t*>(run.x);
    auto* y = static_cast<float*>(run.y);
    const F32 scale = set1(run.scale), zero_point = set1(static_cast<float>(run.zero));
    int64_t i = 0;
    if (run.x_stride == 1 && run.y_stride == 1)
        for (; i + kLanes <= run.n; i += kLanes)
            store(y + i, (load_u8(x + i) - zero_point) * scale);
    for (; i < run.n; ++i)
        store_n(y + i * run.y_stride, (load_u8_n(x + i * run.x_stride, 1) - zero_point) * scale, 1);
}

}  // namespace hades::HADES_ISA
