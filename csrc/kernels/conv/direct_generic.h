#pragma once
#include "kernels/conv/source_generic.h"
#include "simd/epilogue.h"

// Direct convolution as an implicit matrix product.
//   y[p, o] = sum over taps t and channels i of x[p * stride + t * dilation, i] * w[o, i, t]
// Packed weights: [group][block of two vectors of o][tap][i][o in block]; a last block of at most
// one vector is one vector wide. The micro-kernel keeps V vectors of output channels times P pixels
// of one row in registers; per input channel it loads V vectors of weights and broadcasts P values.
// Pixels are a constant distance apart, so every third pixel's pointer is enough: the two after it
// are that pointer plus once and twice the distance, which x86 addressing gives for free.
// Numerics: one fused multiply-add per term, in the order slice of i, tap, i. The order depends on
// the shape only.
namespace hades::HADES_ISA {

struct Tile {
    const float* x;  // the first pixel's first tap
    int64_t pixel;   // elements of x between output pixels
    int64_t tap_row, tap_column;
    const float* w;
    int64_t w_row, w_column;
    int64_t rows, columns, inner;  // taps, and elements per tap
    const float* partial_in;       // [pixel][V vectors], or nullptr
    float* partial_out;            // or nullptr where this is the last slice
    float* y;
    const float* residual;
    const float* bias;
    int64_t y_pixel, residual_pixel;
    int last_lanes;  // output channels in the last vector
    const Epilogue* epilogue;
    bool clamps;  // activation and after are none, relu or clip
    float low, high, after_low, after_high;
};

template <int Count>
HADES_INLINE void keep_in_registers(const float* (&pointers)[Count]) {
    // Without this the compiler derives one address per pixel and spills them.
#pragma GCC unroll 16
    for (int k = 0; k < Count; ++k) asm("" : "+r"(pointers[k]));
}

// acc += the products of one tap: n input channels.
template <int V, int P>
HADES_INLINE void multiply(F32 (&acc)[V][P], const float* x, int64_t pixel, const float* w,
                           int64_t n) {
    constexpr int kBases = (P + 2) / 3;
    const float* base[kBases];
#pragma GCC unroll 16
    for (int k = 0; k < kBases; ++k) base[k] = x + 3 * k * pixel;
    const auto step = [&](int unroll) __attribute__((always_inline)) {
        keep_in_registers(base);
#pragma GCC unroll 8
        for (int u = 0; u < unroll; ++u) {
            F32 weight[V];
#pragma GCC unroll 2
            for (int v = 0; v < V; ++v) weight[v] = load(w + (u * V + v) * kLanes);
#pragma GCC unroll 32
            for (int p = 0; p < P; ++p) {
                const F32 value = set1(base[p / 3][u + (p % 3) * pixel]);
#pragma GCC unroll 2
                for (int v = 0; v < V; ++v) acc[v][p] = fma(value, weight[v], acc[v][p]);
            }
        }
#pragma GCC unroll 16
        for (int k = 0; k < kBases; ++k) base[k] += unroll;
        w += unroll * V * kLanes;
    };
    constexpr int kUnroll = 32 / kLanes;
    for (; n >= kUnroll; n -= kUnroll) step(kUnroll);
    for (; n > 0; --n) step(1);
}

// Epilogues beyond a clamp, on sums that were put into memory first.
static __attribute__((noinline)) void finish(const Tile& t, const float* sums, int vectors,
                                             int pixels) {
    for (int p = 0; p < pixels; ++p) {
        for (int v = 0; v < vectors; ++v, sums += kLanes) {
            const int lanes = v == vectors - 1 ? t.last_lanes : kLanes;
            const int64_t o = v * kLanes;
            F32 value = load(sums);
            if (t.bias) value = value + load_n(t.bias + o, lanes);
            value = apply(t.epilogue->activation, value);
            if (t.residual) value = value + load_n(t.residual + p * t.residual_pixel + o, lanes);
            store_n(t.y + p * t.y_pixel + o, apply(t.epilogue->after, value), lanes);
        }
    }
}

template <int V, int P>
HADES_INLINE void store_clamped(const F32 (&acc)[V][P], const Tile& t) {
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
        const int lanes = v == V - 1 ? t.last_lanes : kLanes;
        const int64_t o = v * kLanes;
        const F32 bias = t.bias ? load_n(t.bias + o, lanes) : zero();
#pragma GCC unroll 32
        for (int p = 0; p < P; ++p) {
            F32 value = min(set1(t.high), max(set1(t.low), acc[v][p] + bias));
            if (t.residual) {
                value = value + load_n(t.residual + p * t.residual_pixel + o, lanes);
                value = min(set1(t.after_high), max(set1(t.after_low), value));
            }
            store_n(t.y + p * t.y_pixel + o, value, lanes);
        }
    }
}

template <int V, int P>
static void run_tile(const Tile& t) {
    F32 acc[V][P];
#pragma GCC unroll 32
    for (int p = 0; p < P; ++p)
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v)
            acc[v][p] = t.partial_in ? load(t.partial_in + (p * V + v) * kLanes) : zero();

    for (int64_t row = 0; row < t.rows; ++row)
        for (int64_t column = 0; column < t.columns; ++column)
            multiply<V, P>(acc, t.x + row * t.tap_row + column * t.tap_column, t.pixel,
                           t.w + row * t.w_row + column * t.w_column, t.inner);

    if (t.clamps && !t.partial_out) return store_clamped<V, P>(acc, t);
    float sums[V * P * kLanes];
    float* to = t.partial_out ? t.partial_out : sums;
#pragma GCC unroll 32
    for (int p = 0; p < P; ++p)
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) store(to + (p * V + v) * kLanes, acc[v][p]);
    if (!t.partial_out) finish(t, sums, V, P);
}

using TileFn = void (*)(const Tile&);

// The widest tiles whose sums, weights and one broadcast value fit into the registers.
constexpr int kRegisters = kLanes == 16 ? 32 : 16;
constexpr int kPixels1 = kLanes == 16 ? 24 : 12;
constexpr int kPixels2 = (kRegisters - 3) / 2;

#define HADES_TILES_4(V, P) \
    run_tile<V, P>, run_tile<V, P + 1>, run_tile<V, P + 2>, run_tile<V, P + 3>
static const TileFn kTiles1[] = {HADES_TILES_4(1, 1),  HADES_TILES_4(1, 5),
                                 HADES_TILES_4(1, 9),
#if defined(HADES_TIER_AVX512)
                                 HADES_TILES_4(1, 13), HADES_TILES_4(1, 17),
                                 HADES_TILES_4(1, 21)
#endif
};
static const TileFn kTiles2[] = {HADES_TILES_4(2, 1), run_tile<2, 5>, run_tile<2, 6>,
#if defined(HADES_TIER_AVX512)
                                 HADES_TILES_4(2, 7), HADES_TILES_4(2, 11)
#endif
};
#undef HADES_TILES_4
static_assert(sizeof kTiles1 / sizeof *kTiles1 >= kPixels1 &&
                  sizeof kTiles2 / sizeof *kTiles2 >= kPixels2,
              "a kernel for every tile width");

// Interval of a clamping activation; false for the others.
HADES_INLINE bool clamp_of(const ActivationParams& activation, float* low, float* high) {
    const float infinity = __builtin_inff();
    *low = activation.kind == Activation::relu ? 0.0f : -infinity;
    *high = infinity;
    if (activation.kind == Activation::clip) {
        *low = activation.alpha;
        *high = activation.beta;
    }
    return activation.kind == Activation::none || activation.kind == Activation::relu ||
           activation.kind == Activation::clip;
}

// What all tiles of a call have in common.
HADES_INLINE Tile tile_of(const ConvArgs& a, int64_t channels) {
    const ConvShape& s = *a.shape;
    Tile t = {};
    t.inner = a.plan->merged_taps ? s.kernel_w * s.ic : channels;
    t.columns = a.plan->merged_taps ? 1 : s.kernel_w;
    t.y_pixel = s.y_pixel;
    t.residual_pixel = s.residual_pixel;
    t.epilogue = &s.epilogue;
    t.clamps = clamp_of(s.epilogue.activation, &t.low, &t.high);
    t.clamps &= clamp_of(s.epilogue.after, &t.after_low, &t.after_high);
    t.clamps &= a.residual != nullptr || s.epilogue.after.kind == Activation::none;
    return t;
}

// One output row of one segment against one block of output channels.
HADES_INLINE void run_row(Tile t, const ConvArgs& a, const Source& source,
                          const ConvSegment& segment, int64_t row, const TileFn* tiles,
                          int64_t widest, int64_t block_width) {
    const ConvShape& s = *a.shape;
    const ConvTapRange taps =
        taps_inside(row, s.stride_h, s.pad_top, s.dilation_h, s.kernel_h, s.height);
    const int64_t input_row = row * s.stride_h - s.pad_top + taps.begin * s.dilation_h;
    t.pixel = s.stride_w * source.pixel;
    t.tap_row = s.dilation_h * source.row;
    t.tap_column = s.dilation_w * source.pixel;
    t.rows = taps.end - taps.begin;
    t.w += taps.begin * t.w_row;
    for (int64_t column = segment.begin; column < segment.end;) {
        const int64_t left = segment.end - column;
        const int64_t count = (left + widest - 1) / widest;
        const int64_t pixels = (left + count - 1) / count;
        Tile tile = t;
        tile.x = source.base + input_row * source.row +
                 (column * s.stride_w - s.pad_left) * source.pixel;
        tile.y += row * s.y_row + column * s.y_pixel;
        if (tile.residual) tile.residual += row * s.residual_row + column * s.residual_pixel;
        const int64_t width = a.chunk.column_end - a.chunk.column_begin;
        const int64_t at =
            ((row - a.chunk.row_begin) * width + column - a.chunk.column_begin) * block_width;
        if (tile.partial_in) tile.partial_in += at;
        if (tile.partial_out) tile.partial_out += at;
        tiles[pixels - 1](tile);
        column += pixels;
    }
}

void conv_direct_f32(const ConvArgs& a) {
    const ConvShape& s = *a.shape;
    const ConvPlan& plan = *a.plan;
    const ConvChunk& chunk = a.chunk;
    const int64_t taps = s.kernel_h * s.kernel_w;
    float* const partial = a.scratch + plan.staged_elements;
    const int64_t partial_block =
        (chunk.row_end - chunk.row_begin) * (chunk.column_end - chunk.column_begin) * plan.block;

    for (int64_t slice = 0; slice < s.ic; slice += plan.ic_slice) {
        const int64_t rest = s.ic - slice;
        const int64_t channels = rest < plan.ic_slice ? rest : plan.ic_slice;
        const bool last_slice = channels == rest;
        ConvSegment segments[kMaxSegments];
        Source sources[kMaxSegments];
        float* scratch = a.scratch;
        for (int i = 0; i < plan.segment_count; ++i) {
            segments[i] = clip(plan.segments[i], chunk);
            if (segments[i].begin < segments[i].end)
                sources[i] = segment_source(a, segments[i], slice, channels, &scratch);
        }
        for (int64_t block = chunk.block_begin; block < chunk.block_end; ++block) {
            const int64_t o = block * plan.block;
            const int64_t block_oc = s.oc - o < plan.block ? s.oc - o : plan.block;
            const bool wide = block_oc > kLanes;
            const int64_t width = wide ? 2 * kLanes : kLanes;
            const int64_t packed_oc = (s.oc + kLanes - 1) / kLanes * kLanes;
            const int64_t channel = chunk.group * s.oc + o;
            Tile t = tile_of(a, channels);
            t.w_column = s.ic * width;
            t.w_row = s.kernel_w * t.w_column;
            t.w = a.w + (chunk.group * packed_oc + o) * taps * s.ic + slice * width;
            t.y = a.y + chunk.image * s.y_image + channel;
            t.bias = a.bias ? a.bias + channel : nullptr;
            if (a.residual) t.residual = a.residual + chunk.image * s.residual_image + channel;
            t.last_lanes = static_cast<int>(wide ? block_oc - kLanes : block_oc);
            float* block_partial = partial + (block - chunk.block_begin) * partial_block;
            t.partial_in = slice > 0 ? block_partial : nullptr;
            t.partial_out = last_slice ? nullptr : block_partial;
            for (int64_t row = chunk.row_begin; row < chunk.row_end; ++row)
                for (int i = 0; i < plan.segment_count; ++i)
                    run_row(t, a, sources[i], segments[i], row, wide ? kTiles2 : kTiles1,
                            wide ? kPixels2 : kPixels1, width);
        }
    }
}

}  // namespace hades::HADES_ISA
