#pragma once
#include "base/rounding.h"
#include "kernels/bconv/source_generic.h"
#include "kernels/bconv/tile_generic.h"

// Convolution of bfloat16 as an implicit matrix product; packed weights: see pack.h.
//   sum[p, o] = sum over taps t of x[p * stride + t * dilation] . w[o, t]
// Rows of taps outside the image are skipped; columns outside it are staged as zeros.
// Numerics: float32 sums in the order row of taps, tap, pair, which depends on the shape only.
namespace hades::HADES_ISA {

// A packed block of output channels of the group of the chunk.
struct Block {
    const uint16_t* w;
    int64_t vectors, channel;  // the first channel of all
    int last_lanes;
};

HADES_INLINE Block block_at(const BconvArgs& a, int64_t index) {
    const ConvShape& s = a.shape->conv;
    const BconvPlan& plan = *a.plan;
    const int64_t first = index * plan.block;
    const int64_t left = s.oc - first < plan.block ? s.oc - first : plan.block;
    Block block;
    block.vectors = left > kLanes ? 2 : 1;
    block.last_lanes = static_cast<int>(left - (block.vectors - 1) * kLanes);
    block.channel = a.chunk.group * s.oc + first;
    block.w = a.w + a.chunk.group * plan.group_elements + index * plan.block_elements;
    return block;
}

// max(low, min(high, x)) is the activation, where it is an interval.
HADES_INLINE bool interval_of(const ActivationParams& activation, PairTile* t) {
    t->low = activation.kind == Activation::relu ? 0.0f : -__builtin_inff();
    t->high = __builtin_inff();
    if (activation.kind == Activation::clip) t->low = activation.alpha, t->high = activation.beta;
    return activation.kind == Activation::none || activation.kind == Activation::relu ||
           activation.kind == Activation::clip;
}

constexpr int64_t kElement = sizeof(uint16_t);

// What the tiles of a block have in common.
HADES_INLINE PairTile tile_of(const BconvArgs& a, const Source& source, const Block& block) {
    const ConvShape& s = a.shape->conv;
    const BconvPlan& plan = *a.plan;
    PairTile t = {};
    t.pixel = s.stride_w * source.pixel * kElement;
    t.tap_row = s.dilation_h * source.row * kElement;
    t.tap_column = s.dilation_w * source.pixel * kElement;
    // A row of taps is one run where neither dilation nor padding of channels is between them.
    const bool is_run = s.dilation_w == 1 && source.pixel == 2 * plan.pairs && !plan.merged_taps;
    t.columns = plan.merged_taps || is_run ? 1 : s.kernel_w;
    t.pairs = is_run ? s.kernel_w * plan.pairs : plan.pairs;
    t.w_column = t.pairs * block.vectors * kPairBytes;
    t.w_row = t.columns * t.w_column;
    t.bias = a.bias ? a.bias + block.channel : nullptr;
    t.y_is_narrow = a.shape->y_is_narrow;
    t.y_pixel = s.y_pixel, t.residual_pixel = s.residual_pixel;
    t.last_lanes = block.last_lanes;
    t.epilogue = &s.epilogue;
    t.is_clamped =
        interval_of(s.epilogue.activation, &t) && s.epilogue.after.kind == Activation::none;
    return t;
}

// The first tile of an output row, of the taps that lie inside the image.
HADES_INLINE PairTile at_row(PairTile t, const BconvArgs& a, const Source& source,
                             const Block& block, int64_t row) {
    const ConvShape& s = a.shape->conv;
    const ConvTapRange taps =
        taps_inside(row, s.stride_h, s.pad_top, s.dilation_h, s.kernel_h, s.height);
    const int64_t input_row = row * s.stride_h - s.pad_top + taps.begin * s.dilation_h;
    const int64_t column = a.chunk.column_begin;
    t.rows = taps.end - taps.begin;
    t.w = reinterpret_cast<const uint8_t*>(block.w) + taps.begin * t.w_row;
    t.x = reinterpret_cast<const uint8_t*>(source.base + input_row * source.row -
                                           s.pad_left * source.pixel) +
          column * t.pixel;
    const int64_t y =
        a.chunk.image * s.y_image + row * s.y_row + column * s.y_pixel + block.channel;
    if (t.y_is_narrow)
        t.y = static_cast<uint16_t*>(a.y) + y;
    else
        t.y = static_cast<float*>(a.y) + y;
    if (a.residual)
        t.residual = a.residual + a.chunk.image * s.residual_image + row * s.residual_row +
                     column * s.residual_pixel + block.channel;
    return t;
}

HADES_INLINE void move_on(PairTile* t, int64_t pixels) {
    t->x += pixels * t->pixel;
    const int64_t bytes = t->y_is_narrow ? kElement : static_cast<int64_t>(sizeof(float));
    t->y = static_cast<uint8_t*>(t->y) + pixels * t->y_pixel * bytes;
    if (t->residual) t->residual += pixels * t->residual_pixel;
}

static void run_direct(const BconvArgs& a) {
    const ConvShape& s = a.shape->conv;
    const ConvChunk& chunk = a.chunk;
    const Source source = source_of(a, chunk.group * s.ic, s.ic);
    const int64_t columns = chunk.column_end - chunk.column_begin;
    for (int64_t index = chunk.block_begin; index < chunk.block_end; ++index) {
        const Block block = block_at(a, index);
        const PairTile common = tile_of(a, source, block);
        const TileFn* tiles = block.vectors == 2 ? kTiles2.run : kTiles1.run;
        // Tiles of nearly equal width: the first `wider` have a pixel more.
        const int64_t count = ceil_div(columns, block.vectors == 2 ? kPixels2 : kPixels1);
        const int64_t least = columns / count, wider = columns % count;
        for (int64_t row = chunk.row_begin; row < chunk.row_end; ++row) {
            PairTile t = at_row(common, a, source, block, row);
            for (int64_t tile = 0; tile < count; ++tile) {
                const int64_t pixels = least + (tile < wider);
                tiles[pixels - 1](t);
                move_on(&t, pixels);
            }
        }
    }
}

BconvKernel conv_bf16() { return {kLanes, 2, run_direct}; }

}  // namespace hades::HADES_ISA
