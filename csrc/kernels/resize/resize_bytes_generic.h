#pragma once
// Bytes are interpolated as floats: a row of them is combined vertically, and its pixels are
// combined from there. Products and sums are rounded each, in the order of taps, so that every tier
// gives the same bytes.
#include <cstring>

#include "kernels/resize/resize.h"
#include "simd/points.h"
#include "simd/words.h"
#if defined(HADES_WORDS)
#include "kernels/resize/resize_short_generic.h"
#endif

namespace hades::HADES_ISA {

HADES_INLINE F32 finished(const ResizeBytes& to, F32 v) {
    if (to.truncates) return floor(min(max(v, set1(0.0f)), set1(255.0f)));
    v = v - set1(to.x_zero);
    if (to.y_scale != 1.0f) v = v / set1(to.y_scale);
    v = nearest_point(v, to.y_zero);
    if (to.then_factor == 0.0f) return v;
    return nearest_point((v - set1(to.y_zero)) * set1(to.then_factor), to.then_zero);
}

HADES_INLINE F32 load_lanes(const uint8_t* p, int lanes) { return load_byte_lanes(p, lanes); }
HADES_INLINE F32 load_lanes(const float* p, int lanes) {
    return lanes == kLanes ? load(p) : load_n(p, lanes);
}

// sink(i, v, lanes) for the sums over taps of weights[t] * x[indices[t] * step + (0, n)]; a single
// tap is what it is.
template <int Taps, class X, class Sink>
HADES_INLINE void sum_taps(const X* x, int64_t step, const int32_t* indices, const float* weights,
                           int64_t taps, int64_t n, const Sink& sink) {
    if (Taps > 0) taps = Taps;
    for (int64_t i = 0; i < n; i += kLanes) {
        const int lanes = n - i < kLanes ? static_cast<int>(n - i) : kLanes;
        F32 total = load_lanes(x + indices[0] * step + i, lanes);
        if (taps > 1) total = total * set1(weights[0]);
        for (int64_t t = 1; t < taps; ++t)
            total = total + load_lanes(x + indices[t] * step + i, lanes) * set1(weights[t]);
        sink(i, total, lanes);
    }
}

template <class X, class Sink>
HADES_INLINE void sum_any_taps(const X* x, int64_t step, const int32_t* indices,
                               const float* weights, int64_t taps, int64_t n, const Sink& sink) {
    switch (taps) {
        case 1:
            return sum_taps<1>(x, step, indices, weights, taps, n, sink);
        case 2:
            return sum_taps<2>(x, step, indices, weights, taps, n, sink);
        default:
            return sum_taps<0>(x, step, indices, weights, taps, n, sink);
    }
}

// The vertical sum of all pixels of a row: sink(pixel, channel, v, lanes).
template <class Sink>
HADES_INLINE void sum_rows(const ResizeRowArgs& a, bool joined, const Sink& sink) {
    const uint8_t* x = static_cast<const uint8_t*>(a.x);
    const auto pixels = [&](int64_t pixel, int64_t count) {
        sum_any_taps(x + pixel * a.x_pixel, a.x_row, a.vertical_indices, a.vertical_weights,
                     a.vertical_taps, count * a.channels,
                     [&](int64_t c, F32 v, int lanes) { sink(pixel, c, v, lanes); });
    };
    if (joined) return pixels(0, a.in_w);
    for (int64_t i = 0; i < a.in_w; ++i) pixels(i, 1);
}

// Pixels of one channel are gathered; the tables are [taps, out_w].
HADES_INLINE void sum_columns(const ResizeRowArgs& a) {
    uint8_t* y = static_cast<uint8_t*>(a.y);
    for (int64_t i = 0; i < a.out_w; i += kLanes) {
        const int lanes = a.out_w - i < kLanes ? static_cast<int>(a.out_w - i) : kLanes;
        F32 total = gather(a.row, load_n(a.horizontal_indices + i, lanes));
        if (a.horizontal_taps > 1) total = total * load_n(a.horizontal_weights + i, lanes);
        for (int64_t t = 1; t < a.horizontal_taps; ++t) {
            const int64_t at = t * a.out_w + i;
            total = total + gather(a.row, load_n(a.horizontal_indices + at, lanes)) *
                                load_n(a.horizontal_weights + at, lanes);
        }
        if (a.y_pixel == 1) {
            store_byte_lanes(y + i, finished(a.bytes, total), lanes);
            continue;
        }
        uint8_t bytes[kLanes];
        store_u8(bytes, finished(a.bytes, total));
        for (int lane = 0; lane < lanes; ++lane) y[(i + lane) * a.y_pixel] = bytes[lane];
    }
}

template <int Taps>
HADES_INLINE void sum_pixels(const ResizeRowArgs& a) {
    const ResizeBytes to = a.bytes;
    for (int64_t i = 0; i < a.out_w; ++i) {
        const int64_t at = i * a.horizontal_taps;
        uint8_t* y = static_cast<uint8_t*>(a.y) + i * a.y_pixel;
        sum_taps<Taps>(a.row, a.channels, a.horizontal_indices + at, a.horizontal_weights + at,
                       a.horizontal_taps, a.channels, [&](int64_t c, F32 v, int lanes) {
                           store_byte_lanes(y + c, finished(to, v), lanes);
                       });
    }
}

HADES_INLINE void move_pixels(const ResizeRowArgs& a) {
    const auto* x = static_cast<const uint8_t*>(a.x) + a.vertical_indices[0] * a.x_row;
    auto* y = static_cast<uint8_t*>(a.y);
    for (int64_t i = 0; i < a.out_w; ++i)
        std::memcpy(y + i * a.y_pixel, x + a.horizontal_indices[i] * a.x_pixel,
                    static_cast<size_t>(a.channels));
}

void resize_row_u8(const ResizeRowArgs& a) {
    if (a.bytes.moves) return move_pixels(a);
#if defined(HADES_WORDS)
    if (a.bytes.is_short && a.channels > 1) return resize_short_row(a);
#endif
    const bool joined = a.x_pixel == a.channels;
    if (a.horizontal_identity) {
        uint8_t* y = static_cast<uint8_t*>(a.y);
        sum_rows(a, joined && a.y_pixel == a.channels,
                 [&](int64_t pixel, int64_t c, F32 v, int lanes) {
                     store_byte_lanes(y + pixel * a.y_pixel + c, finished(a.bytes, v), lanes);
                 });
        return;
    }
    sum_rows(a, joined, [&](int64_t pixel, int64_t c, F32 v, int lanes) {
        float* to = a.row + pixel * a.channels + c;
        if (lanes == kLanes)
            store(to, v);
        else
            store_n(to, v, lanes);
    });
    if (a.channels == 1)
        sum_columns(a);
    else if (a.horizontal_taps == 2)
        sum_pixels<2>(a);
    else
        sum_pixels<0>(a);
}

}  // namespace hades::HADES_ISA
