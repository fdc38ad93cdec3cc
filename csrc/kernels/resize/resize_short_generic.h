#pragma once
// Bytes are interpolated as integers where weights are sixteenths, at most two each way, and
// results stay on the grid of x: twice, four or eight times as large by halves of pixels, for
// instance. Sums count 256ths and fit 16 bits. They are what the sums of floats are, which are
// exact there, and so is the rounding: halves go to the byte that is an even number of steps from
// zero.
#include <cstring>

#include "kernels/resize/resize.h"
#include "simd/points.h"
#include "simd/words.h"

namespace hades::HADES_ISA {

// Two taps of an axis, as indices and sixteenths; a single one twice, the second time for nothing.
struct ShortTaps {
    int64_t first, second;
    int16_t first_weight, second_weight;
};

HADES_INLINE ShortTaps short_taps(const int32_t* indices, const float* weights, int64_t taps) {
    if (taps == 1) return {indices[0], indices[0], 16, 0};
    return {indices[0], indices[1], static_cast<int16_t>(weights[0] * 16),
            static_cast<int16_t>(weights[1] * 16)};
}

HADES_INLINE Words weighted(Words first, Words second, const ShortTaps& taps) {
    return times(first, taps.first_weight) + times(second, taps.second_weight);
}

// 256ths to bytes.
HADES_INLINE Words whole_steps(const ResizeBytes& to, Words sum) {
    if (to.truncates) return shift_right<8>(sum);
    const Words steps = shift_right<8>(sum) + set1_words(static_cast<int16_t>(to.x_zero));
    return shift_right<8>(sum + set1_words(127) + (steps & set1_words(1)));
}

// body(i, count) for vectors of n words, of which the last may be partial.
template <class Body>
HADES_INLINE void for_words(int64_t n, const Body& body) {
    int64_t i = 0;
    for (; i + kWords <= n; i += kWords) body(i, kWords);
    if (i < n) body(i, static_cast<int>(n - i));
}

// The vertical sums of all pixels of a row; behind the last one there is room for a vector.
HADES_INLINE void sum_short_rows(const ResizeRowArgs& a, int16_t* row) {
    const ShortTaps taps = short_taps(a.vertical_indices, a.vertical_weights, a.vertical_taps);
    const bool joined = a.x_pixel == a.channels;
    const int64_t n = joined ? a.in_w * a.channels : a.channels;
    const auto* x = static_cast<const uint8_t*>(a.x);
    for (int64_t pixel = 0; pixel < (joined ? 1 : a.in_w); ++pixel, x += a.x_pixel, row += n) {
        const uint8_t *first = x + taps.first * a.x_row, *second = x + taps.second * a.x_row;
        for_words(n, [&](int64_t i, int count) __attribute__((always_inline)) {
            store_words(row + i,
                        weighted(widen_n(first + i, count), widen_n(second + i, count), taps));
        });
    }
}

// To another grid, in place.
HADES_INLINE void go_on(const ResizeBytes& to, uint8_t* y, int64_t n) {
    for (int64_t i = 0; i < n; i += kLanes) {
        const int lanes = n - i < kLanes ? static_cast<int>(n - i) : kLanes;
        const F32 steps = (load_byte_lanes(y + i, lanes) - set1(to.y_zero)) * set1(to.then_factor);
        store_byte_lanes(y + i, nearest_point(steps, to.then_zero), lanes);
    }
}

static void resize_short_row(const ResizeRowArgs& a) {
    const ResizeBytes to = a.bytes;
    const int64_t channels = a.channels;
    auto* const row = reinterpret_cast<int16_t*>(a.row);
    sum_short_rows(a, row);
    for (int64_t i = 0; i < a.out_w; ++i) {
        const int64_t at = i * a.horizontal_taps;
        const ShortTaps taps =
            short_taps(a.horizontal_indices + at, a.horizontal_weights + at, a.horizontal_taps);
        const int16_t *first = row + taps.first * channels, *second = row + taps.second * channels;
        uint8_t* const y = static_cast<uint8_t*>(a.y) + i * a.y_pixel;
        for_words(channels, [&](int64_t c, int count) __attribute__((always_inline)) {
            const Words sum = weighted(load_words(first + c), load_words(second + c), taps);
            store_low_bytes(y + c, whole_steps(to, sum), count);
        });
        if (to.then_factor != 0.0f) go_on(to, y, channels);
    }
}

}  // namespace hades::HADES_ISA
