#pragma once
#include "kernels/conv/source_generic.h"
#include "simd/epilogue.h"

// Depthwise convolution, vectorised over output channels: one input channel per group.
//   y[p, o] = sum over taps t of x[p * stride + t * dilation, o / multiplier] * w[t, o]
// Packed weights: [tap][o]. Register budget: 8 pixels of sums, one vector of weights; pixels whose
// taps all lie inside the image are done eight at a time, the others alone with fewer taps.
// Numerics: one fused multiply-add per tap, row by row.
namespace hades::HADES_ISA {

constexpr int kDepthwisePixels = 8;

// The input channels of the lanes of one vector: neighbours, unless a multiplier repeats them.
struct ChannelLanes {
    I32 index;
    int64_t first;
    int lanes;
    bool repeated;
};

HADES_INLINE ChannelLanes channel_lanes(int64_t o, int64_t channels, int64_t multiplier) {
    const int lanes = lanes_left(o, channels);
    int32_t index[kLanes];
    for (int lane = 0; lane < kLanes; ++lane)
        index[lane] = static_cast<int32_t>((o + (lane < lanes ? lane : 0)) / multiplier);
    return {load(index), o, lanes, multiplier != 1};
}

HADES_INLINE F32 load_channels(const float* x, const ChannelLanes& c) {
    return c.repeated ? gather(x, c.index) : load_n(x + c.first, c.lanes);
}

// P neighbouring pixels of one row for one vector of output channels.
template <int P>
HADES_INLINE void depthwise_pixels(const ConvArgs& a, const ChannelLanes& c, int64_t row,
                                   int64_t column, ConvTapRange tap_rows,
                                   ConvTapRange tap_columns) {
    const ConvShape& s = *a.shape;
    const int64_t channels = s.groups * s.oc;
    const float* image = a.x + a.chunk.image * s.x_image;
    F32 acc[P];
    for (int p = 0; p < P; ++p) acc[p] = zero();
    for (int64_t i = tap_rows.begin; i < tap_rows.end; ++i) {
        const float* x_row = image + (row * s.stride_h - s.pad_top + i * s.dilation_h) * s.x_row;
        for (int64_t j = tap_columns.begin; j < tap_columns.end; ++j) {
            const float* x =
                x_row + (column * s.stride_w - s.pad_left + j * s.dilation_w) * s.x_pixel;
            const F32 weight = load_n(a.w + (i * s.kernel_w + j) * channels + c.first, c.lanes);
#pragma GCC unroll 8
            for (int p = 0; p < P; ++p)
                acc[p] = fma(load_channels(x + p * s.stride_w * s.x_pixel, c), weight, acc[p]);
        }
    }
    float* y = a.y + a.chunk.image * s.y_image + row * s.y_row + column * s.y_pixel + c.first;
    const float* residual = a.residual;
    if (residual)
        residual += a.chunk.image * s.residual_image + row * s.residual_row +
                    column * s.residual_pixel + c.first;
    const F32 bias = a.bias ? load_n(a.bias + c.first, c.lanes) : zero();
    for (int p = 0; p < P; ++p) {
        F32 value = apply(s.epilogue.activation, acc[p] + bias);
        if (residual) value = value + load_n(residual + p * s.residual_pixel, c.lanes);
        store_n(y + p * s.y_pixel, apply(s.epilogue.after, value), c.lanes);
    }
}

static void depthwise_row(const ConvArgs& a, const ChannelLanes& c, int64_t row) {
    const ConvShape& s = *a.shape;
    const ConvTapRange tap_rows =
        taps_inside(row, s.stride_h, s.pad_top, s.dilation_h, s.kernel_h, s.height);
    const auto columns_of = [&](int64_t column) {
        return taps_inside(column, s.stride_w, s.pad_left, s.dilation_w, s.kernel_w, s.width);
    };
    for (int64_t column = a.chunk.column_begin; column < a.chunk.column_end;) {
        const int64_t last = column + kDepthwisePixels - 1;
        const ConvTapRange taps = columns_of(column);
        // Between two pixels that have all their taps, every pixel has.
        if (last < a.chunk.column_end && taps.begin == 0 && columns_of(last).end == s.kernel_w &&
            taps.end == s.kernel_w) {
            depthwise_pixels<kDepthwisePixels>(a, c, row, column, tap_rows, taps);
            column += kDepthwisePixels;
        } else {
            depthwise_pixels<1>(a, c, row, column, tap_rows, taps);
            ++column;
        }
    }
}

static void run_depthwise(const ConvArgs& a) {
    const int64_t channels = a.shape->groups * a.shape->oc;
    for (int64_t row = a.chunk.row_begin; row < a.chunk.row_end; ++row)
        for (int64_t o = 0; o < channels; o += kLanes)
            depthwise_row(a, channel_lanes(o, channels, a.shape->oc), row);
}

ConvKernel conv_depthwise_f32() { return {kLanes, kLanes > 1, run_depthwise}; }

}  // namespace hades::HADES_ISA
