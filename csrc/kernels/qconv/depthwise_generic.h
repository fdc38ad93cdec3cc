#pragma once
#include "kernels/qconv/source_generic.h"
#include "simd/interleave.h"

// Depthwise convolution of bytes, vectorised over channels: one input channel per output channel.
//   sum[p, c] = bias[c] - x_zero * (sum of w[c]) + sum over taps t of x[p * stride + t * dilation,
//   c] * w[c, t]
// Packed weights: see pack_depthwise in pack.h. Four rows of a column of x, interleaved, are quads:
// a dot product sums four taps, and the pixels whose windows overlap share them. Rows beyond the
// window have weights of zero; rows and columns outside the image are staged as x_zero. Register
// budget (AVX-512): 4 pixels times 4 vectors of sums, 4 rows, 4 quads, one of weights. Ports
// (Cascade Lake, 3x3): 4 pixels of 64 channels are 48 vpdpbusd and 48 unpacks, which all take port
// 5: 48 cycles. Numerics: exact in int32, modulo 2^32; see base/requantize.h for what follows.
namespace hades::HADES_ISA {

constexpr int kDepthwisePixels = kRegisters >= 32 ? 4 : 2;

// Channels [channel, channel + count), at most kColumns, of a row of outputs.
struct DepthwiseRow {
    const uint8_t* const* rows;  // of x, one for each row of taps, whole fours of them
    int64_t fours;               // groups of four rows of taps
    int64_t pixel, tap, kernel_w;
    const uint8_t* w;
    const uint8_t* other;  // halves of weights that would saturate, or nullptr
    const int32_t* start;  // in the order of quads
    const float* factor;   //
    const Requantize* requantize;
    Limits limits;
    RequantizeRows to;
    int count;
};

// How windows overlap: the width of the kernel and the stride where taps are neighbours; 0 taps:
// anything else.
template <int kTaps_, int kStride_>
struct Overlap {
    static constexpr int kTaps = kTaps_, kStride = kStride_;
};
using AnyOverlap = Overlap<0, 0>;

HADES_INLINE void load_quads(const uint8_t* const* rows, int64_t offset, Bytes (&quads)[4]) {
    Bytes lines[4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) lines[r] = load_bytes(rows[r] + offset);
    interleave(lines, quads);
}

HADES_INLINE void add_column(I32 (&sums)[4], const Bytes (&quads)[4], const uint8_t* w) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i)
        sums[i] = dot_bytes(sums[i], quads[i], load_bytes(w + i * kColumns));
}

// Four rows of taps for P pixels, the first at byte `offset` of the rows.
template <class Window, int P>
HADES_INLINE void add_rows(const DepthwiseRow& t, const uint8_t* const* rows, int64_t offset,
                           const uint8_t* w, const uint8_t* other, I32 (&sums)[P][4]) {
    Bytes quads[4];
    if constexpr (Window::kTaps == 0) {
        for (int64_t j = 0; j < t.kernel_w; ++j)
#pragma GCC unroll 4
            for (int p = 0; p < P; ++p) {
                load_quads(rows, offset + p * t.pixel + j * t.tap, quads);
                add_column(sums[p], quads, w + j * 4 * kColumns);
                if (kDotSaturates && other) add_column(sums[p], quads, other + j * 4 * kColumns);
            }
    } else {
#pragma GCC unroll 32
        for (int column = 0; column < (P - 1) * Window::kStride + Window::kTaps; ++column) {
            load_quads(rows, offset + column * t.tap, quads);
#pragma GCC unroll 4
            for (int p = 0; p < P; ++p) {
                const int j = column - p * Window::kStride;
                if (j < 0 || j >= Window::kTaps) continue;
                add_column(sums[p], quads, w + j * 4 * kColumns);
                if (kDotSaturates && other) add_column(sums[p], quads, other + j * 4 * kColumns);
            }
        }
    }
}

// Sums in the order of quads, to memory in that of channels.
HADES_INLINE void store_sums(int32_t* to, const I32 (&sums)[4]) {
    constexpr int kTogether = kLanes < 4 ? kLanes : 4;  // neighbours in both orders
    int32_t lanes[kLanes];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        store(lanes, sums[i]);
#pragma GCC unroll 4
        for (int lane = 0; lane < kLanes; lane += kTogether)
            memcpy(to + column_of(i, lane), lanes + lane, kTogether * sizeof(int32_t));
    }
}

template <int P>
HADES_INLINE void finish(const DepthwiseRow& t, const I32 (&sums)[P][4], int64_t pixel) {
    if (!t.limits.suffice) {
        int32_t memory[P * kColumns];
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p) store_sums(memory + p * kColumns, sums[p]);
        RequantizeRows to = t.to;
        const Requantize& r = *t.requantize;
        to.y = advanced(to.y, r.y_is_bytes, pixel * to.y_row);
        if (to.residual)
            to.residual = advanced(to.residual, r.residual_is_bytes, pixel * to.residual_row);
        return requantize_rows(r, to, memory, kColumns, P, t.count);
    }
    const F32 low = set1(t.limits.low), high = set1(t.limits.high);
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
        F32 steps[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i)
            steps[i] = min(high, max(low, to_f32(sums[p][i]) * load(t.factor + i * kLanes)));
        store_interleaved(static_cast<uint8_t*>(t.to.y) + (pixel + p) * t.to.y_row, steps,
                          t.limits.zero_point, t.count);
    }
}

template <class Window, int P>
static void depthwise_pixels(const DepthwiseRow& t, int64_t pixel) {
    I32 sums[P][4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i)
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p) sums[p][i] = load(t.start + i * kLanes);
    const int64_t step = t.kernel_w * 4 * kColumns;
    for (int64_t four = 0; four < t.fours; ++four)
        add_rows<Window, P>(t, t.rows + 4 * four, pixel * t.pixel, t.w + four * step,
                            t.other ? t.other + four * step : nullptr, sums);
    finish<P>(t, sums, pixel);
}

template <class Window>
static void depthwise_row(const DepthwiseRow& t, int64_t pixels) {
    int64_t pixel = 0;
    for (; pixel + kDepthwisePixels <= pixels; pixel += kDepthwisePixels)
        depthwise_pixels<Window, kDepthwisePixels>(t, pixel);
    for (; pixel < pixels; ++pixel) depthwise_pixels<Window, 1>(t, pixel);
}

using DepthwiseFn = void (*)(const DepthwiseRow&, int64_t pixels);

HADES_INLINE DepthwiseFn row_function(const ConvShape& s) {
    if (s.dilation_w != 1 || s.stride_w > 2) return depthwise_row<AnyOverlap>;
    const bool one = s.stride_w == 1;
    if (s.kernel_w == 3) return one ? depthwise_row<Overlap<3, 1>> : depthwise_row<Overlap<3, 2>>;
    if (s.kernel_w == 5) return one ? depthwise_row<Overlap<5, 1>> : depthwise_row<Overlap<5, 2>>;
    return depthwise_row<AnyOverlap>;
}

// Start and factor of a block of channels, in the order of quads.
struct DepthwiseChannels {
    int32_t start[kColumns];
    float factor[kColumns];
};

HADES_INLINE void fill_channels(const QconvArgs& a, const uint8_t* sums, int64_t channel, int count,
                                DepthwiseChannels* to) {
    const auto x_zero = static_cast<uint32_t>(a.shape->x_zero);
    for (int i = 0; i < 4; ++i)
        for (int lane = 0; lane < kLanes; ++lane) {
            const int column = column_of(i, lane), at = i * kLanes + lane;
            int32_t sum;
            memcpy(&sum, sums + 4 * column, sizeof sum);
            const bool is_there = column < count;
            const int32_t bias = a.bias && is_there ? a.bias[channel + column] : 0;
            to->start[at] = static_cast<int32_t>(static_cast<uint32_t>(bias) -
                                                 x_zero * static_cast<uint32_t>(sum));
            to->factor[at] = is_there ? a.factor[channel + column] : 0.0f;
        }
}

HADES_INLINE bool splits(const uint8_t* sums) {
    int32_t flag;
    memcpy(&flag, sums + 4 * kColumns, sizeof flag);
    return flag != 0;
}

// Rows of taps of one kernel, in whole fours.
HADES_INLINE void find_rows(const QconvArgs& a, const Source& source, const uint8_t* padding,
                            int64_t row, int64_t channel, const uint8_t** rows) {
    const ConvShape& s = a.shape->conv;
    const int64_t first = a.chunk.column_begin * s.stride_w - s.pad_left;
    for (int64_t i = 0; i < round_up(s.kernel_h, 4); ++i) {
        const int64_t r = row * s.stride_h - s.pad_top + i * s.dilation_h;
        const bool is_inside = i < s.kernel_h && r >= 0 && r < s.height;
        rows[i] =
            is_inside ? source.base + r * source.row + first * source.pixel + channel : padding;
    }
}

static void run_depthwise(const QconvArgs& a) {
    const ConvShape& s = a.shape->conv;
    const int64_t channels = s.groups;
    const Source source = source_of(a, 0, channels);
    uint8_t* const padding = a.scratch + a.plan->staged_bytes - a.plan->padding_bytes;
    memset(padding, a.shape->x_zero, static_cast<size_t>(a.plan->padding_bytes));
    const DepthwiseFn run_row = row_function(s);
    const Requantize& r = a.shape->requantize;
    const uint8_t* rows[kMostDepthwiseRows];
    for (int64_t channel = 0; channel < channels; channel += kColumns) {
        const int64_t left = channels - channel;
        const uint8_t* const w = a.w + channel / kColumns * a.plan->block_bytes;
        const int64_t weight_bytes = round_up(s.kernel_h, 4) * s.kernel_w * kColumns;
        const uint8_t* const sums = w + weight_bytes * (kDotSaturates ? 2 : 1);
        DepthwiseChannels prepared;
        DepthwiseRow t = {};
        t.count = static_cast<int>(left < kColumns ? left : kColumns);
        fill_channels(a, sums, channel, t.count, &prepared);
        t.rows = rows;
        t.fours = ceil_div(s.kernel_h, 4);
        t.pixel = s.stride_w * source.pixel;
        t.tap = s.dilation_w * source.pixel;
        t.kernel_w = s.kernel_w;
        t.w = w;
        t.other = kDotSaturates && splits(sums) ? w + weight_bytes : nullptr;
        t.start = prepared.start, t.factor = prepared.factor;
        t.requantize = &r;
        t.to.factor = a.factor + channel;
        t.to.offset = a.offset ? a.offset + channel : nullptr;
        t.to.y_row = s.y_pixel, t.to.residual_row = s.residual_pixel;
        t.to.residual = a.residual;
        t.limits = limits_of(r, t.to);
        for (int64_t row = a.chunk.row_begin; row < a.chunk.row_end; ++row) {
            find_rows(a, source, padding, row, channel, rows);
            t.to.y = advanced(a.y, r.y_is_bytes,
                              a.chunk.image * s.y_image + row * s.y_row +
                                  a.chunk.column_begin * s.y_pixel + channel);
            if (a.residual)
                t.to.residual = advanced(a.residual, r.residual_is_bytes,
                                         a.chunk.image * s.residual_image + row * s.residual_row +
                                             a.chunk.column_begin * s.residual_pixel + channel);
            run_row(t, a.chunk.column_end - a.chunk.column_begin);
        }
    }
}

QconvKernel qconv_depthwise_u8() { return {kLanes, 4, kDotSaturates, run_depthwise}; }

}  // namespace hades::HADES_ISA
