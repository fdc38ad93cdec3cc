#pragma once
// Separable: an output row is a weighted sum of input rows (contiguous, whatever the layout), then
// of pixels of that sum. Pixels of many channels are contiguous again; planar rows are gathered.
// Sums run over taps in order, so that tiers differ only by fused multiply-adds.
#include <cstring>

#include "kernels/resize/resize.h"
#include "simd/simd.h"

namespace hades::HADES_ISA {

HADES_INLINE int lanes_left(int64_t i, int64_t n) {
    return n - i < kLanes ? static_cast<int>(n - i) : kLanes;
}

// y[0, n) = sum over taps of weights[t] * x[indices[t] * step + (0, n)]; Taps == 0: any number.
template <int Taps>
HADES_INLINE void weighted_sum(const float* x, int64_t step, const int32_t* indices,
                               const float* weights, int64_t taps, float* y, int64_t n) {
    if (Taps > 0) taps = Taps;
    int64_t i = 0;
    for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
        const float* first = x + indices[0] * step + i;
        F32 low = load(first) * set1(weights[0]);
        F32 high = load(first + kLanes) * set1(weights[0]);
        for (int64_t t = 1; t < taps; ++t) {
            const float* line = x + indices[t] * step + i;
            low = fma(load(line), set1(weights[t]), low);
            high = fma(load(line + kLanes), set1(weights[t]), high);
        }
        store(y + i, low);
        store(y + i + kLanes, high);
    }
    for (; i < n; i += kLanes) {
        const int lanes = lanes_left(i, n);
        F32 total = load_n(x + indices[0] * step + i, lanes) * set1(weights[0]);
        for (int64_t t = 1; t < taps; ++t)
            total = fma(load_n(x + indices[t] * step + i, lanes), set1(weights[t]), total);
        store_n(y + i, total, lanes);
    }
}

// One tap is a move: it must not touch denormals or other bits.
HADES_INLINE void combine(const float* x, int64_t step, const int32_t* indices,
                          const float* weights, int64_t taps, float* y, int64_t n) {
    switch (taps) {
        case 1:
            std::memcpy(y, x + indices[0] * step, static_cast<size_t>(n) * sizeof(float));
            return;
        case 2:
            return weighted_sum<2>(x, step, indices, weights, taps, y, n);
        case 4:
            return weighted_sum<4>(x, step, indices, weights, taps, y, n);
        default:
            return weighted_sum<0>(x, step, indices, weights, taps, y, n);
    }
}

// The tables of a planar row are [taps, out_w].
HADES_INLINE void combine_columns(const ResizeRowArgs& a, const float* row) {
    float* y = static_cast<float*>(a.y);
    for (int64_t i = 0; i < a.out_w; i += kLanes) {
        const int lanes = lanes_left(i, a.out_w);
        F32 total = gather(row, load_n(a.horizontal_indices + i, lanes));
        if (a.horizontal_taps > 1) total = total * load_n(a.horizontal_weights + i, lanes);
        for (int64_t t = 1; t < a.horizontal_taps; ++t) {
            const int64_t at = t * a.out_w + i;
            total = fma(gather(row, load_n(a.horizontal_indices + at, lanes)),
                        load_n(a.horizontal_weights + at, lanes), total);
        }
        store_n(y + i, total, lanes);
    }
}

HADES_INLINE void combine_pixels(const ResizeRowArgs& a, const float* row, int64_t pixel) {
    for (int64_t i = 0; i < a.out_w; ++i) {
        const int64_t at = i * a.horizontal_taps;
        combine(row, pixel, a.horizontal_indices + at, a.horizontal_weights + at, a.horizontal_taps,
                static_cast<float*>(a.y) + i * a.y_pixel, a.channels);
    }
}

// The vertical sum of all pixels of a row, from rows of x to y.
HADES_INLINE void combine_rows(const ResizeRowArgs& a, float* y, int64_t y_pixel) {
    const float* x = static_cast<const float*>(a.x);
    if (a.x_pixel == a.channels && y_pixel == a.channels) {
        combine(x, a.x_row, a.vertical_indices, a.vertical_weights, a.vertical_taps, y,
                a.in_w * a.channels);
        return;
    }
    for (int64_t i = 0; i < a.in_w; ++i)
        combine(x + i * a.x_pixel, a.x_row, a.vertical_indices, a.vertical_weights, a.vertical_taps,
                y + i * y_pixel, a.channels);
}

void resize_row_f32(const ResizeRowArgs& a) {
    if (a.horizontal_identity) return combine_rows(a, static_cast<float*>(a.y), a.y_pixel);
    const float* row = static_cast<const float*>(a.x) + a.vertical_indices[0] * a.x_row;
    int64_t pixel = a.x_pixel;
    if (a.vertical_taps > 1 && !a.vertical_identity) {
        combine_rows(a, a.row, a.channels);
        row = a.row;
        pixel = a.channels;
    }
    if (a.channels == 1 && pixel == 1 && a.y_pixel == 1) return combine_columns(a, row);
    combine_pixels(a, row, pixel);
}

}  // namespace hades::HADES_ISA
