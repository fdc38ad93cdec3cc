#pragma once
#include <cstring>

#include "kernels/image/image.h"
#include "simd/simd.h"

namespace hades::HADES_ISA {

typedef float Float4 __attribute__((vector_size(16)));

HADES_INLINE Float4 load4(const float* p) {
    Float4 values;
    memcpy(&values, p, sizeof values);
    return values;
}

// Weighted sum of rows of bytes, blocks of lanes in registers over all rows.
HADES_INLINE void blend_rows(const uint8_t* first, int64_t stride, const float* weight,
                             int32_t count, int64_t n, float* sums) {
    int64_t i = 0;
    for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
        F32 a = zero(), b = zero(), c = zero(), d = zero();
        for (int32_t k = 0; k < count; ++k) {
            const uint8_t* row = first + k * stride + i;
            const F32 w = set1(weight[k]);
            a = fma(w, load_u8(row), a);
            b = fma(w, load_u8(row + kLanes), b);
            c = fma(w, load_u8(row + 2 * kLanes), c);
            d = fma(w, load_u8(row + 3 * kLanes), d);
        }
        store(sums + i, a);
        store(sums + i + kLanes, b);
        store(sums + i + 2 * kLanes, c);
        store(sums + i + 3 * kLanes, d);
    }
    for (; i < n; i += kLanes) {
        const int lanes = static_cast<int>(n - i < kLanes ? n - i : kLanes);
        F32 a = zero();
        for (int32_t k = 0; k < count; ++k)
            a = fma(set1(weight[k]), load_u8_n(first + k * stride + i, lanes), a);
        store_n(sums + i, a, lanes);
    }
}

// Rows first: that pass streams through the image, and the other one stays in the first-level
// cache.
void normalize_row_u8(const NormalizeArgs& a, int64_t row, float* scratch) {
    const int32_t first = a.rows.first[row];
    blend_rows(a.image + first * a.image_stride, a.image_stride, a.rows.weight + row * a.rows.most,
               a.rows.count[row], a.width * 3, scratch);
    memset(scratch + a.width * 3, 0, 4 * sizeof(float));

    const Float4 gain = {a.gain[0], a.gain[1], a.gain[2], 0.0f};
    const Float4 offset = {a.offset[0], a.offset[1], a.offset[2], 0.0f};
    const Float4 black = {}, white = black + 255.0f;
    float* y = a.y + row * a.row_stride;
    for (int64_t x = 0; x < a.out_width; ++x) {
        // RGB and one lane of the next pixel, which is never stored.
        const float* pixel = scratch + a.columns.first[x] * 3;
        const float* weight = a.columns.weight + x * a.columns.most;
        Float4 sum = {};
        for (int32_t k = 0; k < a.columns.count[x]; ++k) sum += load4(pixel + k * 3) * weight[k];
        sum = sum < black ? black : sum;
        sum = sum > white ? white : sum;
        sum = sum * gain + offset;
        for (int c = 0; c < 3; ++c) y[c * a.channel_stride + x * a.pixel_stride] = sum[c];
    }
}

// One row of the mask at the width of the result.
HADES_INLINE void widen(const UpscaleMaskArgs& a, int64_t row, float* padded, float* wide) {
    memcpy(padded, a.mask + row * a.mask_stride, static_cast<size_t>(a.width) * sizeof(float));
    padded[a.width] = padded[a.width - 1];  // the right neighbour of the last column
    for (int64_t x = 0; x < a.out_width; x += kLanes) {
        const int lanes = static_cast<int>(a.out_width - x < kLanes ? a.out_width - x : kLanes);
        const I32 column = load_n(a.column + x, lanes);
        const F32 from = gather(padded, column), to = gather(padded + 1, column);
        store_n(wide + x, from + load_n(a.column_fraction + x, lanes) * (to - from), lanes);
    }
}

// Products and sums are kept apart: fused, the tiers would differ in the last bit and then by one.
HADES_INLINE F32 blend_mask(F32 from, F32 to, F32 fraction) {
    const F32 value = min(max(from + fraction * (to - from), zero()), set1(1.0f));
    return floor(value * set1(255.0f) + set1(0.5f));
}

void upscale_mask_rows_f32(const UpscaleMaskArgs& a, int64_t first, int64_t last, float* scratch) {
    float *padded = scratch, *upper = padded + a.width + 1, *lower = upper + a.out_width;
    int64_t upper_row = -1, lower_row = -1;  // which source rows the two buffers hold
    for (int64_t row = first; row < last; ++row) {
        const int64_t above = a.row[row], below = above + 1 < a.height ? above + 1 : above;
        if (upper_row != above) {
            float* const previous = upper;
            upper = lower;
            lower = previous;
            const bool moved_down = lower_row == above;
            lower_row = upper_row;
            upper_row = above;
            if (!moved_down) widen(a, above, padded, upper);
        }
        if (lower_row != below) widen(a, below, padded, lower);
        lower_row = below;
        const F32 fraction = set1(a.row_fraction[row]);
        uint8_t* y = a.y + row * a.y_stride;
        int64_t x = 0;
        for (; x + kLanes <= a.out_width; x += kLanes)
            store_u8(y + x, blend_mask(load(upper + x), load(lower + x), fraction));
        const int rest = static_cast<int>(a.out_width - x);
        store_u8_n(y + x, blend_mask(load_n(upper + x, rest), load_n(lower + x, rest), fraction),
                   rest);
    }
}

// Distinct arrays of bytes, so that the compiler may vectorise.
HADES_INLINE void blend_bytes(const uint8_t* HADES_RESTRICT image,
                              const uint8_t* HADES_RESTRICT alpha,
                              const uint8_t* HADES_RESTRICT background, uint8_t* HADES_RESTRICT y,
                              int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
        const uint16_t rest = static_cast<uint16_t>(255 - alpha[i]);
        const uint16_t sum =
            static_cast<uint16_t>(image[i] * alpha[i] + background[i] * rest + 127);
        // sum / 255, exact for 16 bits.
        y[i] = static_cast<uint8_t>(static_cast<uint16_t>(sum + 1 + (sum >> 8)) >> 8);
    }
}

void composite_row_u8(const CompositeArgs& a, uint8_t* scratch) {
    uint8_t *alpha = scratch, *expanded = scratch + a.width * 3;
    for (int64_t x = 0; x < a.width; ++x) {
        alpha[x * 3] = a.alpha[x];
        alpha[x * 3 + 1] = a.alpha[x];
        alpha[x * 3 + 2] = a.alpha[x];
    }
    const bool packed = a.background_pixel == 3 && a.background_channel == 1;
    for (int64_t x = 0; x < a.width && !packed; ++x)
        for (int64_t c = 0; c < 3; ++c)
            expanded[x * 3 + c] = a.background[x * a.background_pixel + c * a.background_channel];
    blend_bytes(a.image, alpha, packed ? a.background : expanded, a.y, a.width * 3);
}

// Whichever neighbour is nearest to left + above - above_left; ties go in that order. Written
// without branches, in 16 bits.
HADES_INLINE uint8_t paeth(int16_t left, int16_t above, int16_t above_left) {
    const int16_t down = static_cast<int16_t>(above - above_left);
    const int16_t across = static_cast<int16_t>(left - above_left);
    const int16_t both = static_cast<int16_t>(down + across);
    const int16_t to_left = down < 0 ? static_cast<int16_t>(-down) : down;
    const int16_t to_above = across < 0 ? static_cast<int16_t>(-across) : across;
    const int16_t to_both = both < 0 ? static_cast<int16_t>(-both) : both;
    const int16_t nearest = to_above <= to_both ? above : above_left;
    return static_cast<uint8_t>((to_left <= to_above) & (to_left <= to_both) ? left : nearest);
}

// predict(left, above, above_left) of every byte; beside the row there are zeros.
template <class Predict>
HADES_INLINE void subtract_prediction(const PngFilterArgs& a, Predict predict) {
    const int64_t bpp = a.bytes_per_pixel, n = a.bytes;
    const uint8_t *row = a.row, *above = a.above;
    uint8_t* HADES_RESTRICT y = a.y + 1;
    for (int64_t i = 0; i < bpp; ++i) y[i] = static_cast<uint8_t>(row[i] - predict(0, above[i], 0));
    const uint8_t *left = row - bpp, *above_left = above - bpp;
    for (int64_t i = bpp; i < n; ++i)
        y[i] = static_cast<uint8_t>(row[i] - predict(left[i], above[i], above_left[i]));
}

void png_filter_row_u8(const PngFilterArgs& a) {
    a.y[0] = static_cast<uint8_t>(a.filter);
    switch (a.filter) {
        case PngFilter::none:
            memcpy(a.y + 1, a.row, static_cast<size_t>(a.bytes));
            return;
        case PngFilter::sub:
            return subtract_prediction(a, [](uint8_t left, uint8_t, uint8_t) { return left; });
        case PngFilter::up:
            return subtract_prediction(a, [](uint8_t, uint8_t above, uint8_t) { return above; });
        case PngFilter::average:
            return subtract_prediction(a, [](uint8_t left, uint8_t above, uint8_t) {
                return static_cast<uint8_t>((left + above) >> 1);
            });
        case PngFilter::paeth:
            return subtract_prediction(a, [](uint8_t left, uint8_t above, uint8_t corner) {
                return paeth(left, above, corner);
            });
    }
}

}  // namespace hades::HADES_ISA
