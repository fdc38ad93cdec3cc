#pragma once
#include "kernels/conv/source_generic.h"
#include "simd/epilogue.h"

// Direct convolution to very few output channels: a vector along the input channels, one output
// value per accumulator. Lanes that the direct kernel would waste on missing output channels work
// on input channels here.
// Packed weights: [group][o][tap][i]. Register budget: 8 pixels of sums, one vector of weights.
// Numerics: lane l sums the channels l mod lanes over all taps, then the lanes are added pairwise.
namespace hades::HADES_ISA {

constexpr int kDotPixels = 8;

struct DotTile {
    const float* x;
    int64_t pixel, tap_row, tap_column;
    const float* w;
    int64_t w_row;
    int64_t rows, columns, inner;
};

// sums[p] = the dot product of pixel p, for P pixels.
template <int P>
static void dot_tile(const DotTile& t, float* sums) {
    F32 acc[P];
    for (int p = 0; p < P; ++p) acc[p] = zero();
    for (int64_t row = 0; row < t.rows; ++row) {
        for (int64_t column = 0; column < t.columns; ++column) {
            const float* x = t.x + row * t.tap_row + column * t.tap_column;
            const float* w = t.w + row * t.w_row + column * t.inner;
            for (int64_t i = 0; i < t.inner; i += kLanes) {
                const int lanes = lanes_left(i, t.inner);
                const F32 weight = load_n(w + i, lanes);
#pragma GCC unroll 8
                for (int p = 0; p < P; ++p)
                    acc[p] = fma(load_n(x + p * t.pixel + i, lanes), weight, acc[p]);
            }
        }
    }
    for (int p = 0; p < P; ++p) sums[p] = sum(acc[p]);
}

// Epilogue of `pixels` sums of one output channel; the pixels are strided, so their values pass
// through memory.
HADES_INLINE void store_dots(const ConvArgs& a, float* sums, int64_t pixels, int64_t channel,
                             int64_t row, int64_t column) {
    const ConvShape& s = *a.shape;
    const float bias = a.bias ? a.bias[channel] : 0.0f;
    float* y = a.y + a.chunk.image * s.y_image + row * s.y_row + column * s.y_pixel + channel;
    for (int64_t p = 0; p < pixels; p += kLanes) {
        const int lanes = lanes_left(p, pixels);
        const F32 value = apply(s.epilogue.activation, load_n(sums + p, lanes) + set1(bias));
        store_n(sums + p, value, lanes);
    }
    if (a.residual) {
        const float* residual = a.residual + a.chunk.image * s.residual_image +
                                row * s.residual_row + column * s.residual_pixel + channel;
        for (int64_t p = 0; p < pixels; ++p) sums[p] += residual[p * s.residual_pixel];
    }
    for (int64_t p = 0; p < pixels; p += kLanes) {
        const int lanes = lanes_left(p, pixels);
        store_n(sums + p, apply(s.epilogue.after, load_n(sums + p, lanes)), lanes);
    }
    for (int64_t p = 0; p < pixels; ++p) y[p * s.y_pixel] = sums[p];
}

static void dot_row(const ConvArgs& a, const Source& source, const ConvSegment& segment,
                    int64_t row, int64_t o) {
    const ConvShape& s = *a.shape;
    const ConvTapRange taps =
        taps_inside(row, s.stride_h, s.pad_top, s.dilation_h, s.kernel_h, s.height);
    const int64_t input_row = row * s.stride_h - s.pad_top + taps.begin * s.dilation_h;
    DotTile t;
    t.pixel = s.stride_w * source.pixel;
    t.tap_row = s.dilation_h * source.row;
    t.tap_column = s.dilation_w * source.pixel;
    t.inner = a.plan->merged_taps ? s.kernel_w * s.ic : s.ic;
    t.columns = a.plan->merged_taps ? 1 : s.kernel_w;
    t.w_row = s.kernel_w * s.ic;
    t.rows = taps.end - taps.begin;
    const int64_t channel = a.chunk.group * s.oc + o;
    t.w = a.w + (channel * s.kernel_h + taps.begin) * t.w_row;
    for (int64_t column = segment.begin; column < segment.end;) {
        const bool full = segment.end - column >= kDotPixels;
        t.x = source.base + input_row * source.row +
              (column * s.stride_w - s.pad_left) * source.pixel;
        float sums[kDotPixels];
        full ? dot_tile<kDotPixels>(t, sums) : dot_tile<1>(t, sums);
        store_dots(a, sums, full ? kDotPixels : 1, channel, row, column);
        column += full ? kDotPixels : 1;
    }
}

static void run_dot(const ConvArgs& a) {
    const ConvPlan& plan = *a.plan;
    float* scratch = a.scratch;
    for (int i = 0; i < plan.segment_count; ++i) {
        const ConvSegment segment = clip(plan.segments[i], a.chunk);
        if (segment.begin >= segment.end) continue;
        const Source source = segment_source(a, segment, 0, a.shape->ic, &scratch);
        for (int64_t row = a.chunk.row_begin; row < a.chunk.row_end; ++row)
            for (int64_t o = a.chunk.block_begin; o < a.chunk.block_end; ++o)
                dot_row(a, source, segment, row, o);
    }
}

ConvKernel conv_dot_f32() { return {kLanes, kLanes > 1, run_dot}; }

}  // namespace hades::HADES_ISA
