#pragma once
#include "base/rounding.h"
#include "kernels/conv/clamp_generic.h"
#include "kernels/conv/source_generic.h"
#include "kernels/tile/finish.h"

// Depthwise convolution, vectorised over output channels: one input channel per group.
//   y[p, o] = sum over taps t of x[p * stride + t * dilation, o / multiplier] * w[t, o]
// Packed weights: [tap][o].
// A tile is P neighbouring pixels of one or two output rows. Two rows, where they are neighbours in
// the input too, share its rows: a vector of x serves two multiply-adds and is fetched from the
// second-level cache half as often. All channels of a tile come before the next tile, so that
// memory is read in order. Windows of 3, 5 or 7 columns that overlap share the columns of x as
// well, and skip those outside of the image; others have tiles of one pixel and fewer taps at the
// border. Register budget: 16 sums, 14 weights at most, one x with AVX-512; one row, 8 + 7 + 1 with
// AVX2. Numerics: one fused multiply-add per tap, row by row.
namespace hades::HADES_ISA {

constexpr int kDepthwiseRows = kRegisters >= 32 ? 2 : 1;

struct DepthwiseTile {
    const float* x;  // tap (0, columns.begin) of the first pixel, channel 0; maybe outside
    int64_t x_row, x_tap, x_pixel;  // elements between rows and columns of taps, and pixels
    const float* w;                 // the same tap
    int64_t w_row, w_tap;
    int64_t columns;            // taps of a row
    ConvTapRange inside;        // columns of the tile's input, from x on, that are in the image
    ConvTapRange rows[2];       // of each output row
    int64_t channel, channels;  // [channel, channels) of the output are computed
    I32 repeated;               // input channels of the lanes, where a multiplier repeats them
    Clamp clamp;
    Finish finish;  // of the first row, channel 0
    int64_t y_row, residual_row;
};

struct WholeLanes {
    F32 load_x(const float* x, int64_t channel) const { return load(x + channel); }
    F32 load_w(const float* w) const { return load(w); }
    void put(float* y, F32 value) const { store(y, value); }
    int count() const { return kLanes; }
};

struct FirstLanes {
    int n;
    F32 load_x(const float* x, int64_t channel) const { return load_n(x + channel, n); }
    F32 load_w(const float* w) const { return load_n(w, n); }
    void put(float* y, F32 value) const { store_n(y, value, n); }
    int count() const { return n; }
};

struct RepeatedLanes : FirstLanes {
    I32 index;
    F32 load_x(const float* x, int64_t) const { return gather(x, index); }
};

// How windows of a row overlap: kernel width and stride where they are known and taps are
// neighbours, so that a column of x is loaded once for all the pixels that see it; 0 taps: anything
// else.
template <int kTaps_, int kStride_>
struct Overlap {
    static constexpr int kTaps = kTaps_, kStride = kStride_;
};
using AnyOverlap = Overlap<0, 0>;

template <bool kFirst, bool kSecond, class Window, int P, class Lanes>
HADES_INLINE void slide(const DepthwiseTile& t, const Lanes& lanes, int64_t channel, const float* x,
                        const float* w, F32 (&first)[P], F32 (&second)[P]) {
    constexpr int kTaps = Window::kTaps, kStride = Window::kStride;
    F32 a[kTaps], b[kTaps];
#pragma GCC unroll 8
    for (int j = 0; j < kTaps; ++j) {
        if (kFirst) a[j] = lanes.load_w(w + j * t.w_tap);
        if (kSecond) b[j] = lanes.load_w(w + j * t.w_tap - t.w_row);
    }
#pragma GCC unroll 32
    for (int column = 0; column < (P - 1) * kStride + kTaps; ++column, x += t.x_tap) {
        if (column < t.inside.begin || column >= t.inside.end) continue;
        const F32 value = lanes.load_x(x, channel);
#pragma GCC unroll 8
        for (int p = 0; p < P; ++p) {
            const int j = column - p * kStride;
            if (j < 0 || j >= kTaps) continue;
            if (kFirst) first[p] = fma(value, a[j], first[p]);
            if (kSecond) second[p] = fma(value, b[j], second[p]);
        }
    }
}

// One row of taps for P pixels of the first output row, the second, or both.
template <bool kFirst, bool kSecond, class Window, int P, class Lanes>
HADES_INLINE void add_taps(const DepthwiseTile& t, const Lanes& lanes, int64_t channel, int64_t row,
                           F32 (&first)[P], F32 (&second)[P]) {
    const float* x = t.x + row * t.x_row;
    const float* w = t.w + row * t.w_row + channel;
    if constexpr (Window::kTaps > 0)
        return slide<kFirst, kSecond, Window>(t, lanes, channel, x, w, first, second);
    for (int64_t j = 0; j < t.columns; ++j, x += t.x_tap, w += t.w_tap) {
        const F32 a = kFirst ? lanes.load_w(w) : zero();
        const F32 b = kSecond ? lanes.load_w(w - t.w_row) : zero();
#pragma GCC unroll 8
        for (int p = 0; p < P; ++p) {
            const F32 value = lanes.load_x(x + p * t.x_pixel, channel);
            if (kFirst) first[p] = fma(value, a, first[p]);
            if (kSecond) second[p] = fma(value, b, second[p]);
        }
    }
}

template <int P, class Lanes>
HADES_INLINE void store_pixels(const DepthwiseTile& t, const Lanes& lanes, int64_t channel,
                               int64_t row, const F32 (&sums)[P]) {
    const Finish& common = t.finish;
    float* y = common.y + row * t.y_row + channel;
    const float* bias = common.bias ? common.bias + channel : nullptr;
    const float* residual =
        common.residual ? common.residual + row * t.residual_row + channel : nullptr;
    if (!t.clamp.suffices) {
        float memory[P * kLanes];
#pragma GCC unroll 8
        for (int p = 0; p < P; ++p) store(memory + p * kLanes, sums[p]);
        Finish f = common;
        f.y = y, f.bias = bias, f.residual = residual;
        return finish_rows(f, memory, kLanes, P, lanes.count());
    }
    const F32 offset = bias ? lanes.load_w(bias) : zero();
    const F32 low = set1(t.clamp.low), high = set1(t.clamp.high);
    const int64_t pixel = common.y_row;
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) {
        F32 value = min(high, max(low, sums[p] + offset));
        if (residual) {
            value = value + lanes.load_w(residual + p * common.residual_row);
            value = min(set1(t.clamp.after_high), max(set1(t.clamp.after_low), value));
        }
        lanes.put(y + p * pixel, value);
    }
}

// One vector of channels. Rows of taps are counted from the first output row: the second one's
// are one further down.
template <int R, int P, class Window, class Lanes>
HADES_INLINE void convolve_lanes(const DepthwiseTile& t, const Lanes& lanes, int64_t channel) {
    F32 first[P], second[P];
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) first[p] = second[p] = zero();
    int64_t row = t.rows[0].begin;
    if constexpr (R == 1) {
        for (; row < t.rows[0].end; ++row)
            add_taps<true, false, Window>(t, lanes, channel, row, first, second);
    } else {
        for (; row < t.rows[1].begin + 1; ++row)
            add_taps<true, false, Window>(t, lanes, channel, row, first, second);
        for (; row < t.rows[0].end; ++row)
            add_taps<true, true, Window>(t, lanes, channel, row, first, second);
        for (; row < t.rows[1].end + 1; ++row)
            add_taps<false, true, Window>(t, lanes, channel, row, first, second);
        store_pixels(t, lanes, channel, 1, second);
    }
    store_pixels(t, lanes, channel, 0, first);
}

template <int R, int P, class Window>
static void depthwise_tile(const DepthwiseTile& t) {
    int64_t channel = t.channel;
    for (; channel + kLanes <= t.channels; channel += kLanes)
        convolve_lanes<R, P, Window>(t, WholeLanes{}, channel);
    if (channel < t.channels)
        convolve_lanes<R, P, Window>(t, FirstLanes{lanes_left(channel, t.channels)}, channel);
}

template <int P>
static void repeated_tile(const DepthwiseTile& t) {
    const RepeatedLanes lanes = {{lanes_left(t.channel, t.channels)}, t.repeated};
    convolve_lanes<1, P, AnyOverlap>(t, lanes, t.channel);
}

using DepthwiseFn = void (*)(const DepthwiseTile&);

// Tiles of 1, 2, 4 and 8 pixels.
constexpr int kDepthwiseWidths = 4;
struct DepthwiseTiles {
    DepthwiseFn of_width[kDepthwiseWidths];
};

template <int R, class Window>
static constexpr DepthwiseTiles kTilesOf = {
    {depthwise_tile<R, 1, Window>, depthwise_tile<R, 2, Window>, depthwise_tile<R, 4, Window>,
     depthwise_tile<R, 8, Window>}};
static constexpr DepthwiseTiles kRepeatedTiles = {
    {repeated_tile<1>, repeated_tile<2>, repeated_tile<4>, repeated_tile<8>}};

template <int R, int kStride>
HADES_INLINE const DepthwiseTiles& sliding_tiles(int64_t kernel_w) {
    if (kernel_w == 3) return kTilesOf<R, Overlap<3, kStride>>;
    if (kernel_w == 5) return kTilesOf<R, Overlap<5, kStride>>;
    return kTilesOf<R, Overlap<7, kStride>>;
}

HADES_INLINE bool slides(const ConvShape& s) {
    return s.oc == 1 && s.dilation_w == 1 && s.stride_w <= 2 &&
           (s.kernel_w == 3 || s.kernel_w == 5 || s.kernel_w == 7);
}

HADES_INLINE const DepthwiseTiles& tiles_of(const ConvShape& s, int rows) {
    if (s.oc > 1) return kRepeatedTiles;
    if (!slides(s))
        return rows == 1 ? kTilesOf<1, AnyOverlap> : kTilesOf<kDepthwiseRows, AnyOverlap>;
    if (s.stride_w == 2) return sliding_tiles<1, 2>(s.kernel_w);
    return rows == 1 ? sliding_tiles<1, 1>(s.kernel_w)
                     : sliding_tiles<kDepthwiseRows, 1>(s.kernel_w);
}

// What all tiles of a call have in common.
HADES_INLINE DepthwiseTile depthwise_tile_of(const ConvArgs& a) {
    const ConvShape& s = *a.shape;
    DepthwiseTile t = {};
    t.x_row = s.dilation_h * s.x_row;
    t.x_tap = s.dilation_w * s.x_pixel;
    t.x_pixel = s.stride_w * s.x_pixel;
    t.channels = s.groups * s.oc;
    t.w_tap = t.channels;
    t.w_row = s.kernel_w * t.w_tap;
    t.clamp = clamp_of(s.epilogue, a.residual != nullptr);
    t.finish = {a.bias, a.residual, a.y, s.residual_pixel, s.y_pixel, 1.0f, s.epilogue};
    t.y_row = s.y_row;
    t.residual_row = s.residual_row;
    return t;
}

// Pixels [begin, end) of one or two rows, which all see those columns of taps.
static void depthwise_pixels(const ConvArgs& a, DepthwiseTile t, const DepthwiseTiles& tiles,
                             int64_t row, int64_t begin, int64_t end, ConvTapRange columns) {
    const ConvShape& s = *a.shape;
    const int64_t image = a.chunk.image;
    t.columns = columns.end - columns.begin;
    t.w = a.w + columns.begin * t.w_tap;
    int width = kDepthwiseWidths - 1;
    while (begin < end) {
        while ((int64_t{1} << width) > end - begin) --width;
        const int64_t column = begin * s.stride_w - s.pad_left + columns.begin * s.dilation_w;
        t.inside = {-column, s.width - column};
        t.x =
            a.x + image * s.x_image + (row * s.stride_h - s.pad_top) * s.x_row + column * s.x_pixel;
        t.finish.y = a.y + image * s.y_image + row * s.y_row + begin * s.y_pixel;
        if (a.residual)
            t.finish.residual = a.residual + image * s.residual_image + row * s.residual_row +
                                begin * s.residual_pixel;
        tiles.of_width[width](t);
        begin += int64_t{1} << width;
    }
}

// Rows whose pixels at the border get tiles of their own, with fewer columns of taps.
static void depthwise_bordered(const ConvArgs& a, const DepthwiseTile& t,
                               const DepthwiseTiles& tiles, int64_t row) {
    const ConvShape& s = *a.shape;
    const int64_t room = s.width - 1 + s.pad_left - (s.kernel_w - 1) * s.dilation_w;
    const int64_t left = ceil_div(s.pad_left, s.stride_w);
    const int64_t right = room < 0 ? 0 : room / s.stride_w + 1;
    const int64_t chunk_end = a.chunk.column_end;
    for (int64_t column = a.chunk.column_begin; column < chunk_end;) {
        const bool inside = column >= left && column < right;
        const int64_t end = !inside ? column + 1 : right < chunk_end ? right : chunk_end;
        const ConvTapRange all = {0, s.kernel_w};
        depthwise_pixels(a, t, tiles, row, column, end,
                         inside ? all
                                : taps_inside(column, s.stride_w, s.pad_left, s.dilation_w,
                                              s.kernel_w, s.width));
        column = end;
    }
}

static void depthwise_rows(const ConvArgs& a, DepthwiseTile t) {
    const ConvShape& s = *a.shape;
    const ConvChunk& chunk = a.chunk;
    const bool pairs =
        kDepthwiseRows == 2 && s.oc == 1 && s.stride_h == 1 && s.stride_w == 1 && s.dilation_h == 1;
    const auto taps_of = [&](int64_t row) {
        return taps_inside(row, s.stride_h, s.pad_top, s.dilation_h, s.kernel_h, s.height);
    };
    int rows = 1;
    for (int64_t row = chunk.row_begin; row < chunk.row_end; row += rows) {
        t.rows[0] = taps_of(row);
        rows = 1;
        if (pairs && row + 1 < chunk.row_end) {
            t.rows[1] = taps_of(row + 1);
            const bool both = t.rows[0].begin < t.rows[0].end && t.rows[1].begin < t.rows[1].end;
            rows = both ? 2 : 1;
        }
        const DepthwiseTiles& tiles = tiles_of(s, rows);
        if (slides(s))
            depthwise_pixels(a, t, tiles, row, chunk.column_begin, chunk.column_end,
                             {0, s.kernel_w});
        else
            depthwise_bordered(a, t, tiles, row);
    }
}

static void run_depthwise(const ConvArgs& a) {
    DepthwiseTile t = depthwise_tile_of(a);
    const int64_t multiplier = a.shape->oc;
    if (multiplier == 1) return depthwise_rows(a, t);
    for (t.channel = 0; t.channel < t.channels; t.channel += kLanes) {
        const int lanes = lanes_left(t.channel, t.channels);
        int32_t index[kLanes];
        for (int lane = 0; lane < kLanes; ++lane)
            index[lane] =
                static_cast<int32_t>((t.channel + (lane < lanes ? lane : 0)) / multiplier);
        t.repeated = load(index);
        depthwise_rows(a, t);
    }
}

ConvKernel conv_depthwise_f32() { return {kLanes, kLanes > 1, run_depthwise}; }

}  // namespace hades::HADES_ISA
