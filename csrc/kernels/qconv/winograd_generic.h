#pragma once
#include <cstring>

#include "kernels/qconv/qconv.h"
#include "kernels/qconv/winograd_product_generic.h"
#include "kernels/qconv/winograd_transform_generic.h"
#include "kernels/tile/winograd_grid.h"
#include "simd/requantize.h"

// 3x3 convolution of bytes, stride 1, any dilation, by exact F(4x4, 3x3); see winograd.h for the
// arithmetic and winograd_pack.h for the weights.
//   sum[p, o] = bias[o] - x_zero * (sum of w[o]) + (sum of x * w), padding of x being x_zero
// A call takes some tiles and some blocks of output channels, the blocks in passes. Scratch: a
// pixel of x_zero, planes of transformed input [36][tile][ic slice] of int16, products
// [36][tile][o in pass] of int32, where there are several slices, their sums [tile][4][4][o], and
// where weights are transformed late, planes of a slice of theirs [36][pair of i][o in block][2].
// Planes are an odd number of cache lines apart, so that the 36 streams of a transform do not share
// cache sets.
// Numerics: exact in int32, modulo 2^32; see base/requantize.h for what follows.
namespace hades::HADES_ISA {

// Where the parts of the scratch of a worker are.
struct WinogradScratch {
    uint8_t* padding;
    int16_t* inputs;
    int32_t *products, *sums;
    int16_t* weights;
};

HADES_INLINE WinogradScratch winograd_scratch(const QconvArgs& a) {
    uint8_t* const products = a.scratch + a.plan->staged_bytes;
    uint8_t* const sums = products + a.plan->product_bytes;
    return {a.scratch, reinterpret_cast<int16_t*>(a.scratch + a.plan->padding_bytes),
            reinterpret_cast<int32_t*>(products), reinterpret_cast<int32_t*>(sums),
            reinterpret_cast<int16_t*>(sums + a.plan->sum_bytes)};
}

// Calls body(channel, count) for vectors of channels. The last begins so early that it is whole,
// where there is room: to transform a channel twice does not harm.
template <class Body>
HADES_INLINE void for_vectors(int64_t channels, const Body& body) {
    if (channels < kWords) return body(0, static_cast<int>(channels));
    const int64_t last = channels - kWords;
    for (int64_t c = 0; c < channels; c += kWords) body(c < last ? c : last, kWords);
}

// Channels [slice, slice + channels) of the tile at `place`.
static void transform_tile(const QconvArgs& a, const TilePlace& place, int64_t slice,
                           int64_t channels, const uint8_t* padding, int16_t* to) {
    const ConvShape& s = a.shape->conv;
    const int64_t plane = a.plan->input_plane;
    const int64_t row = place.row - s.pad_top, column = place.column - s.pad_left;
    const int64_t x_row = s.x_row * s.dilation_h, x_pixel = s.x_pixel * s.dilation_w;
    const uint8_t* x = a.x + place.image * s.x_image + row * s.x_row + column * s.x_pixel + slice;
    const int64_t last_row = row + (kWinogradPatch - 1) * s.dilation_h;
    const int64_t last_column = column + (kWinogradPatch - 1) * s.dilation_w;
    if (row >= 0 && column >= 0 && last_row < s.height && last_column < s.width) {
        for_vectors(channels, [&](int64_t c, int count) __attribute__((always_inline)) {
            if (c % kLineBytes == 0) {
                Strip<const uint8_t> next(x + kWinogradPatch * x_pixel + c, x_row);
#pragma GCC unroll 4
                for (int j = 0; j < kWinogradOut; ++j, next.advance(x_pixel))
#pragma GCC unroll 6
                    for (int i = 0; i < kWinogradPatch; ++i) __builtin_prefetch(next.at(i));
            }
            transform_patch(x + c, x_row, x_pixel, count, to + c, plane);
        });
        return;
    }
    const uint8_t* pixels[kWinogradPatch][kWinogradPatch];
    for (int i = 0; i < kWinogradPatch; ++i)
        for (int j = 0; j < kWinogradPatch; ++j) {
            const int64_t r = row + i * s.dilation_h, c = column + j * s.dilation_w;
            const bool is_inside = r >= 0 && r < s.height && c >= 0 && c < s.width;
            pixels[i][j] = is_inside ? x + i * x_row + j * x_pixel : padding;
        }
    for_vectors(channels, [&](int64_t c, int count) __attribute__((always_inline)) {
        transform_patch(pixels, c, count, to + c, plane);
    });
}

// All tiles of the chunk, channels [slice, slice + channels).
static void transform_slice(const QconvArgs& a, const TileGrid& grid, int64_t slice,
                            int64_t channels, const WinogradScratch& scratch) {
    int16_t* to = scratch.inputs;
    TilePlace place = tile_place(grid, a.chunk.column_begin);
    for (int64_t tile = a.chunk.column_begin; tile < a.chunk.column_end;
         ++tile, to += a.plan->pitch, step_to_next(grid, &place))
        transform_tile(a, place, slice, channels, scratch.padding, to);
}

HADES_INLINE int64_t packed_oc(const ConvShape& s) { return round_up(s.oc, kLanes); }
HADES_INLINE int64_t packed_ic(const ConvShape& s) { return round_up(s.ic, 2); }

HADES_INLINE int64_t block_width(const ConvShape& s, int64_t o) {
    return s.oc - o > kLanes ? 2 * kLanes : kLanes;
}

// Weights of a block of output channels and some pairs of input channels, before their transform.
struct RawWeights {
    const int8_t* w;
    int64_t pairs, width;

    int64_t bytes() const { return kWinogradTaps * 2 * pairs * width; }
};

HADES_INLINE RawWeights raw_weights(const QconvArgs& a, int64_t block, int64_t first, int64_t end) {
    const ConvShape& s = a.shape->conv;
    const int64_t o = block * a.plan->block, width = block_width(s, o);
    const int64_t left = (end - first + 1) / 2, most = a.plan->weight_slice / 2;
    return {
        reinterpret_cast<const int8_t*>(a.w) + (o * packed_ic(s) + first * width) * kWinogradTaps,
        left < most ? left : most, width};
}

// Transforms weights and multiplies all planes by them. What is transformed next comes from memory
// meanwhile.
static void transform_and_multiply(const QconvArgs& a, WordProduct product, const RawWeights& raw,
                                   const RawWeights& next, const TileGroups& groups,
                                   int16_t* weights) {
    const QconvPlan& plan = *a.plan;
    const int64_t part = round_up(ceil_div(next.bytes(), kWinogradPlanes), kLineBytes);
    transform_weights(raw.w, raw.pairs, raw.width, weights, plan.weight_plane);
    product.pairs = raw.pairs, product.w = weights;
    for (int64_t plane = 0; plane < kWinogradPlanes; ++plane) {
        for (int64_t at = plane * part; at < (plane + 1) * part; at += kLineBytes)
            __builtin_prefetch(next.w + (at < next.bytes() ? at : 0));
        multiply_plane(product, groups, raw.width);
        product.x += plan.input_plane;
        product.products += plan.product_plane;
        product.w += plan.weight_plane;
    }
}

// The products of blocks [begin, end) of output channels, whose weights are transformed on the way.
static void transform_and_multiply_pass(const QconvArgs& a, WordProduct product, int64_t slice,
                                        int64_t channels, int64_t begin, int64_t end,
                                        int16_t* weights) {
    const QconvPlan& plan = *a.plan;
    const TileGroups groups(a.chunk.column_end - a.chunk.column_begin);
    const int64_t last = slice + channels;
    const int16_t* const x = product.x;
    int32_t* const products = product.products;
    RawWeights raw = raw_weights(a, begin, slice, last);
    for (int64_t first = slice; first < last; first += plan.weight_slice) {
        product.x = x + first - slice;
        product.adds = first > slice;
        for (int64_t block = begin; block < end; ++block) {
            const bool is_last = block + 1 == end;
            const int64_t next_first = is_last ? first + plan.weight_slice : first;
            RawWeights next = raw;
            if (next_first < last)
                next = raw_weights(a, is_last ? begin : block + 1, next_first, last);
            product.products = products + (block - begin) * plan.block;
            transform_and_multiply(a, product, raw, next, groups, weights);
            raw = next;
        }
    }
}

// The products of blocks [begin, end) of output channels.
static void multiply_pass(const QconvArgs& a, WordProduct product, int64_t slice, int64_t begin,
                          int64_t end) {
    const ConvShape& s = a.shape->conv;
    const QconvPlan& plan = *a.plan;
    const TileGroups groups(a.chunk.column_end - a.chunk.column_begin);
    const auto* const w = reinterpret_cast<const int16_t*>(a.w);
    int32_t* products = product.products;
    for (int64_t plane = 0; plane < kWinogradPlanes; ++plane) {
        product.products = products;
        for (int64_t block = begin; block < end; ++block) {
            const int64_t o = block * plan.block, width = block_width(s, o);
            product.w = w + (plane * packed_oc(s) + o) * packed_ic(s) + slice * width;
            multiply_plane(product, groups, width);
            product.products += plan.block;
        }
        product.x += plan.input_plane;
        products += plan.product_plane;
    }
}

// The output channels of a pass.
struct WinogradPass {
    int64_t channel, channels;
    int32_t start[kWinogradPass];  // what is added to every sum of x * w
    Limits limits;
};

HADES_INLINE void fill_pass(const QconvArgs& a, int64_t channel, int64_t width,
                            WinogradPass* pass) {
    const ConvShape& s = a.shape->conv;
    const int64_t left = s.oc - channel;
    pass->channel = channel, pass->channels = left < width ? left : width;
    const uint8_t* const sums = a.w + a.plan->group_bytes - packed_oc(s) * 4;
    const auto x_zero = static_cast<uint32_t>(a.shape->x_zero);
    for (int64_t o = 0; o < pass->channels; ++o) {
        uint32_t sum;
        memcpy(&sum, sums + (channel + o) * 4, sizeof sum);
        const int32_t bias = a.bias ? a.bias[channel + o] : 0;
        pass->start[o] = static_cast<int32_t>(static_cast<uint32_t>(bias) - x_zero * sum);
    }
    for (int64_t o = pass->channels; o < width; ++o) pass->start[o] = 0;
}

// The outputs of a tile, as rows of pixels: what they become and where they go.
struct TileOutput {
    RequantizeRows to;            // of the first row, and the first channel of the pass
    int64_t y_row, residual_row;  // elements between rows of the tile
    int64_t rows, columns;        // of outputs that there are
};

HADES_INLINE TileOutput tile_output(const QconvArgs& a, const TilePlace& place, int64_t channel) {
    const ConvShape& s = a.shape->conv;
    const Requantize& r = a.shape->requantize;
    TileOutput out = {};
    out.to.factor = a.factor + channel;
    out.to.offset = a.offset ? a.offset + channel : nullptr;
    out.to.y = advanced(
        a.y, r.y_is_bytes,
        place.image * s.y_image + place.row * s.y_row + place.column * s.y_pixel + channel);
    out.to.y_row = s.y_pixel * s.dilation_w;
    out.y_row = s.y_row * s.dilation_h;
    if (a.residual) {
        out.to.residual = advanced(a.residual, r.residual_is_bytes,
                                   place.image * s.residual_image + place.row * s.residual_row +
                                       place.column * s.residual_pixel + channel);
        out.to.residual_row = s.residual_pixel * s.dilation_w;
        out.residual_row = s.residual_row * s.dilation_h;
    }
    out.rows = outputs_left(s.out_height, place.row, s.dilation_h);
    out.columns = outputs_left(s.out_width, place.column, s.dilation_w);
    return out;
}

// The same of row i.
HADES_INLINE RequantizeRows row_of(const Requantize& r, const TileOutput& out, int64_t i) {
    RequantizeRows to = out.to;
    to.y = advanced(to.y, r.y_is_bytes, i * out.y_row);
    if (to.residual) to.residual = advanced(to.residual, r.residual_is_bytes, i * out.residual_row);
    return to;
}

// Lines of the pixels of a tile are far apart, which no prefetcher of the machine foresees.
HADES_INLINE void prefetch_pixels(const void* first, bool is_bytes, int64_t row, int64_t pixel,
                                  const TileOutput& out, int64_t channels) {
    const int64_t bytes = channels * (is_bytes ? 1 : 4);
    for (int64_t i = 0; i < out.rows; ++i)
        for (int64_t j = 0; j < out.columns; ++j) {
            const char* const to =
                static_cast<const char*>(advanced(first, is_bytes, i * row + j * pixel));
            for (int64_t at = 0; at < bytes; at += kLineBytes) __builtin_prefetch(to + at, 1);
        }
}

HADES_INLINE void prefetch_tile(const Requantize& r, const TileOutput& out, int64_t channels) {
    const void* const y = out.to.y;
    prefetch_pixels(y, r.y_is_bytes, out.y_row, out.to.y_row, out, channels);
    if (out.to.residual)
        prefetch_pixels(out.to.residual, r.residual_is_bytes, out.residual_row, out.to.residual_row,
                        out, channels);
}

HADES_INLINE int lanes_left(int64_t o, int64_t channels) {
    return channels - o < kLanes ? static_cast<int>(channels - o) : kLanes;
}

// Sums in registers are finished there unless an activation is costly or there is a second grid.
HADES_INLINE bool is_plain(const Requantize& r) {
    const auto is_cheap = [](const ActivationParams& activation) {
        return activation.kind == Activation::none || activation.kind == Activation::relu;
    };
    return r.via_step == 0.0f && is_cheap(r.epilogue.activation) && is_cheap(r.epilogue.after);
}

// What stands between factor and grid, of a row of the tile.
HADES_INLINE void apply_plain(const Requantize& r, const RequantizeRows& to, const Columns& c,
                              int pixels, F32 (&v)[kWinogradOut]) {
    const auto each = [&](const auto& change) __attribute__((always_inline)) {
#pragma GCC unroll 4
        for (int j = 0; j < kWinogradOut; ++j) v[j] = change(v[j]);
    };
    if (to.offset) each([&](F32 x) { return x + c.offset; });
    if (r.epilogue.activation.kind == Activation::relu) each([](F32 x) { return relu(x); });
    if (to.residual) add_residual(r, to, c, 0, pixels, v);
    if (r.epilogue.after.kind == Activation::relu) each([](F32 x) { return relu(x); });
    if (r.y_is_bytes && r.y_scale != 1.0f) each([&](F32 x) { return x / set1(r.y_scale); });
}

// Output channels [o, channels) of the pass. A whole tile has all of its outputs, and whole vectors
// of channels.
template <bool Whole>
static void finish_plain(const Requantize& r, const WinogradPass& pass, const TileOutput& out,
                         const int32_t* products, int64_t plane, int64_t o, int64_t channels) {
    const F32 low = set1(pass.limits.low), high = set1(pass.limits.high);
    const int pixels = Whole ? kWinogradOut : static_cast<int>(out.columns);
    for (; o < channels; o += kLanes) {
        const int lanes = Whole ? kLanes : lanes_left(o, channels);
        const PointStore<1> points(r.y_zero, lanes);
        const Columns c = {static_cast<int>(o), lanes, load_n(out.to.factor + o, lanes),
                           out.to.offset ? load_n(out.to.offset + o, lanes) : zero()};
        const I32 start = load(pass.start + o);
        const auto put = [&](int i, const I32(&sums)[kWinogradOut]) __attribute__((always_inline)) {
            if (!Whole && i >= out.rows) return;
            F32 v[kWinogradOut];
#pragma GCC unroll 4
            for (int j = 0; j < kWinogradOut; ++j) v[j] = to_f32(sums[j] + start) * c.factor;
            const RequantizeRows to = row_of(r, out, i);
            if (!pass.limits.suffice) apply_plain(r, to, c, pixels, v);
            if (!r.y_is_bytes) {
                for (int j = 0; j < pixels; ++j)
                    store_lanes(static_cast<float*>(to.y) + j * to.y_row + o, v[j], lanes);
                return;
            }
#pragma GCC unroll 4
            for (int j = 0; j < kWinogradOut; ++j) v[j] = min(high, max(low, v[j]));
            points.put(static_cast<uint8_t*>(to.y) + o, to.y_row, v, pixels);
        };
        transform_products(products + o, plane, put);
    }
}

// Sums of a tile in memory, [4][4][row]: those of the first slice of channels, or more of them.
template <bool First>
static void add_sums(const WinogradPass& pass, const int32_t* products, int64_t plane,
                     int32_t* sums, int64_t row) {
    for (int64_t o = 0; o < pass.channels; o += kLanes) {
        const I32 start = load(pass.start + o);
        const auto add = [&](int i, const I32(&terms)[kWinogradOut])
                             __attribute__((always_inline)) {
                                 int32_t* to = sums + i * kWinogradOut * row + o;
#pragma GCC unroll 4
                                 for (int j = 0; j < kWinogradOut; ++j, to += row)
                                     store(to, terms[j] + (First ? start : load(to)));
                             };
        transform_products(products + o, plane, add);
    }
}

// Any epilogue.
static void finish_sums(const QconvArgs& a, const WinogradPass& pass, const TileOutput& out,
                        const int32_t* sums, int64_t row) {
    const Requantize& r = a.shape->requantize;
    for (int64_t i = 0; i < out.rows; ++i)
        requantize_rows(r, row_of(r, out, i), sums + i * kWinogradOut * row, static_cast<int>(row),
                        static_cast<int>(out.columns), static_cast<int>(pass.channels));
}

// A slice of input channels.
struct WinogradSlice {
    int64_t first, channels;
    bool is_first, is_last;
};

// The sums of a tile from its products, and what they become.
static void finish_tile(const QconvArgs& a, const WinogradSlice& slice, const WinogradPass& pass,
                        const TileOutput& out, const int32_t* products, int32_t* sums) {
    const int64_t plane = a.plan->product_plane;
    const bool is_only = slice.is_first && slice.is_last;
    const Requantize& r = a.shape->requantize;
    if (is_only && (pass.limits.suffice || is_plain(r))) {
        const bool is_whole = out.rows == kWinogradOut && out.columns == kWinogradOut;
        const int64_t whole = is_whole ? pass.channels / kLanes * kLanes : 0;
        finish_plain<true>(r, pass, out, products, plane, 0, whole);
        finish_plain<false>(r, pass, out, products, plane, whole, pass.channels);
        return;
    }
    int32_t own[kWinogradOut * kWinogradOut * kWinogradPass];
    int64_t row = a.plan->blocks_per_chunk * a.plan->block;
    if (is_only) sums = own, row = kWinogradPass;
    (slice.is_first ? add_sums<true> : add_sums<false>)(pass, products, plane, sums, row);
    if (slice.is_last) finish_sums(a, pass, out, sums, row);
}

// All tiles of the chunk for a pass of `width` packed channels, whose sums are at `sums`.
static void finish_pass(const QconvArgs& a, const TileGrid& grid, const WinogradSlice& slice,
                        int64_t channel, int64_t width, const int32_t* products, int32_t* sums) {
    WinogradPass pass;
    fill_pass(a, channel, width, &pass);
    const int64_t row = a.plan->blocks_per_pass * a.plan->block;
    const int64_t tile_sums =
        kWinogradOut * kWinogradOut * a.plan->blocks_per_chunk * a.plan->block;
    TilePlace place = tile_place(grid, a.chunk.column_begin);
    TileOutput next = tile_output(a, place, channel);
    pass.limits = limits_of(a.shape->requantize, next.to);
    for (int64_t tile = a.chunk.column_begin; tile < a.chunk.column_end;
         ++tile, products += row, sums += tile_sums) {
        const TileOutput out = next;
        step_to_next(grid, &place);
        if (tile + 1 < a.chunk.column_end) {
            next = tile_output(a, place, channel);
            if (slice.is_last) prefetch_tile(a.shape->requantize, next, pass.channels);
        }
        if (out.rows == 0 || out.columns == 0) continue;  // of a phase that has fewer
        finish_tile(a, slice, pass, out, products, sums);
    }
}

static void run_slice(const QconvArgs& a, const TileGrid& grid, const WinogradSlice& slice,
                      const WinogradScratch& scratch) {
    const QconvPlan& plan = *a.plan;
    transform_slice(a, grid, slice.first, slice.channels, scratch);
    const WordProduct product = {scratch.inputs,
                                 plan.pitch,
                                 nullptr,
                                 ceil_div(slice.channels, 2),
                                 scratch.products,
                                 plan.blocks_per_pass * plan.block,
                                 false};
    int32_t* sums = scratch.sums;
    for (int64_t begin = a.chunk.block_begin; begin < a.chunk.block_end;
         begin += plan.blocks_per_pass, sums += product.row) {
        const int64_t last = begin + plan.blocks_per_pass;
        const int64_t end = last < a.chunk.block_end ? last : a.chunk.block_end;
        if (plan.weight_slice > 0)
            transform_and_multiply_pass(a, product, slice.first, slice.channels, begin, end,
                                        scratch.weights);
        else
            multiply_pass(a, product, slice.first, begin, end);
        finish_pass(a, grid, slice, begin * plan.block, (end - begin) * plan.block,
                    scratch.products, sums);
    }
}

static void run_winograd(const QconvArgs& a) {
    const TileGrid grid = tile_grid(a.shape->conv);
    const WinogradScratch scratch = winograd_scratch(a);
    memset(scratch.padding, a.shape->x_zero, static_cast<size_t>(a.plan->padding_bytes));
    const int64_t ic = a.shape->conv.ic, step = a.plan->ic_slice;
    for (int64_t first = 0; first < ic; first += step) {
        const int64_t left = ic - first;
        const WinogradSlice slice = {first, left < step ? left : step, first == 0, left <= step};
        run_slice(a, grid, slice, scratch);
    }
}

QconvKernel qconv_winograd_u8() { return {kLanes, 2, false, run_winograd}; }

}  // namespace hades::HADES_ISA
