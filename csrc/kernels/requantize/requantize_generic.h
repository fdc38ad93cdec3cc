#pragma once
#include "kernels/requantize/requantize.h"
#include "simd/points.h"
#include "simd/transpose.h"

// Formula          see requantize.h
// Registers        one vector and the constants
// Numerics         every step rounds once, so that all tiers give the same bits; the limits are
//                  integers, so that rounding after them is the same as before
namespace hades::HADES_ISA {

HADES_INLINE F32 point(F32 x, float scale, float zero) {
    const F32 steps = min(max(x / set1(scale), set1(-zero)), set1(255.0f - zero));
    return round_even(steps) + set1(zero);
}

HADES_INLINE int lanes_of(int64_t left) { return left < kLanes ? static_cast<int>(left) : kLanes; }

// A block whose rows are contiguous in x and whose columns are contiguous in y: load(p, lanes) and
// store(p, v, lanes) are given kLanes columns of x and as many rows of y.
template <class From, class To, class Load, class Store>
HADES_INLINE void transposed(const GridRun& run, const Load& load, const Store& store) {
    for (int64_t row = 0; row < run.rows; row += kLanes)
        for (int64_t column = 0; column < run.n; column += kLanes) {
            const int rows = lanes_of(run.rows - row), columns = lanes_of(run.n - column);
            const From* x = static_cast<const From*>(run.x) + row + column * run.x_stride;
            To* y = static_cast<To*>(run.y) + row * run.y_row + column;
            F32 tile[kLanes];
            for (int i = 0; i < kLanes; ++i)
                tile[i] = i < columns ? load(x + i * run.x_stride, rows) : zero();
            transpose(tile);
            for (int i = 0; i < kLanes; ++i)
                if (i < rows) store(y + i * run.y_row, tile[i], columns);
        }
}

void quantize_u8(const GridRun& run) {
    if (run.rows > 1)
        return transposed<float, uint8_t>(
            run, [](const float* p, int lanes) { return load_n(p, lanes); },
            [&](uint8_t* p, F32 v, int lanes) {
                store_byte_lanes(p, point(v, run.scale, static_cast<float>(run.zero)), lanes);
            });
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
    const F32 scale = set1(run.scale), zero_point = set1(static_cast<float>(run.zero));
    if (run.rows > 1)
        return transposed<uint8_t, float>(
            run,
            [&](const uint8_t* p, int lanes) {
                return (load_byte_lanes(p, lanes) - zero_point) * scale;
            },
            [](float* p, F32 v, int lanes) { store_n(p, v, lanes); });
    const auto* x = static_cast<const uint8_t*>(run.x);
    auto* y = static_cast<float*>(run.y);
    int64_t i = 0;
    if (run.x_stride == 1 && run.y_stride == 1)
        for (; i + kLanes <= run.n; i += kLanes)
            store(y + i, (load_u8(x + i) - zero_point) * scale);
    for (; i < run.n; ++i)
        store_n(y + i * run.y_stride, (load_u8_n(x + i * run.x_stride, 1) - zero_point) * scale, 1);
}

}  // namespace hades::HADES_ISA
