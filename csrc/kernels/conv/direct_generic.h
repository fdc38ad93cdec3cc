#pragma once
#include "base/rounding.h"
#include "kernels/conv/source_generic.h"
#include "kernels/conv/tile_generic.h"

// Direct convolution as an implicit matrix product.
//   y[p, o] = sum over taps t and channels i of x[p * stride + t * dilation, i] * w[o, i, t]
// Packed weights: [group][block of two vectors of o][tap][i][o in block]; a last block of at most
// one vector is one vector wide. Rows of taps outside the image are skipped; columns outside it are
// staged as zeros. Input channels are taken in slices, so that the weights of a block and the rows
// of a chunk stay in the second-level cache; sums wait in scratch between slices.
// Numerics: one fused multiply-add per term, in the order slice of i, tap, i. The order depends on
// the shape only.
namespace hades::HADES_ISA {

// What all tiles of one block of output channels have in common.
HADES_INLINE Tile tile_of(const ConvArgs& a, int64_t block, int64_t slice, int64_t channels) {
    const ConvShape& s = *a.shape;
    const ConvPlan& plan = *a.plan;
    const ConvChunk& chunk = a.chunk;
    const int64_t o = block * plan.block;
    const int64_t block_oc = s.oc - o < plan.block ? s.oc - o : plan.block;
    const int64_t width = packed_width(block_oc);
    const int64_t channel = chunk.group * s.oc + o;
    const int64_t first = chunk.group * round_up(s.oc, kLanes) + o;
    Tile t = {};
    t.inner = plan.merged_taps ? s.kernel_w * s.ic : channels;
    t.columns = plan.merged_taps ? 1 : s.kernel_w;
    t.w_column = s.ic * width;
    t.w_row = s.kernel_w * t.w_column;
    t.w = a.w + first * s.kernel_h * s.kernel_w * s.ic + slice * width;
    t.y = a.y + chunk.image * s.y_image + channel;
    t.bias = a.bias ? a.bias + channel : nullptr;
    if (a.residual) t.residual = a.residual + chunk.image * s.residual_image + channel;
    t.last_lanes = static_cast<int>(width > kLanes ? block_oc - kLanes : block_oc);
    t.y_pixel = s.y_pixel;
    t.residual_pixel = s.residual_pixel;
    t.epilogue = &s.epilogue;
    t.clamp = clamp_of(s.epilogue, a.residual != nullptr);
    return t;
}

// An output row of one segment.
struct Line {
    const Source& source;
    ConvSegment segment;
    int64_t row;
};

HADES_INLINE Tile at_line(Tile t, const ConvArgs& a, const Line& line) {
    const ConvShape& s = *a.shape;
    const Source& source = line.source;
    const ConvTapRange taps =
        taps_inside(line.row, s.stride_h, s.pad_top, s.dilation_h, s.kernel_h, s.height);
    const int64_t input_row = line.row * s.stride_h - s.pad_top + taps.begin * s.dilation_h;
    t.pixel = s.stride_w * source.pixel;
    t.tap_row = s.dilation_h * source.row;
    t.tap_column = s.dilation_w * source.pixel;
    t.rows = taps.end - taps.begin;
    t.w += taps.begin * t.w_row;
    t.x = source.base + input_row * source.row - s.pad_left * source.pixel;
    t.y += line.row * s.y_row;
    if (t.residual) t.residual += line.row * s.residual_row;
    return t;
}

HADES_INLINE Tile at_column(Tile t, int64_t column) {
    t.x += column * t.pixel;
    t.y += column * t.y_pixel;
    if (t.residual) t.residual += column * t.residual_pixel;
    return t;
}

// The width of the next of nearly equal tiles.
HADES_INLINE int64_t next_pixels(int64_t left, int64_t widest) {
    return ceil_div(left, ceil_div(left, widest));
}

// A line against one block of output channels.
HADES_INLINE void run_line(const Tile& block, const ConvArgs& a, const Line& line, bool wide) {
    const TileFn* tiles = wide ? kTiles2.run : kTiles1.run;
    const int64_t widest = wide ? kPixels2 : kPixels1;
    const int64_t sums = wide ? 2 * kLanes : kLanes;
    const int64_t first =
        (line.row - a.chunk.row_begin) * (a.chunk.column_end - a.chunk.column_begin) -
        a.chunk.column_begin;
    const Tile t = at_line(block, a, line);
    for (int64_t column = line.segment.begin; column < line.segment.end;) {
        const int64_t pixels = next_pixels(line.segment.end - column, widest);
        Tile tile = at_column(t, column);
        const int64_t at = (first + column) * sums;
        if (tile.partial_in) tile.partial_in += at;
        if (tile.partial_out) tile.partial_out += at;
        tiles[pixels - 1](tile);
        column += pixels;
    }
}

// A line against all blocks of the chunk, tile by tile: the output is written in the order in which
// it lies. The sums are complete; the tiles given are those of the first and of the last block.
HADES_INLINE void run_line_of_blocks(const Tile& first, const Tile& last, const ConvArgs& a,
                                     const Line& line, bool last_is_wide) {
    const ConvShape& s = *a.shape;
    const int64_t width = a.plan->block;
    const int64_t weights = width * s.kernel_h * s.kernel_w * s.ic;
    const Tile from = at_line(first, a, line), to = at_line(last, a, line);
    for (int64_t column = line.segment.begin; column < line.segment.end;) {
        const int64_t pixels = next_pixels(line.segment.end - column, kPixels2);
        Tile tile = at_column(from, column);
        for (int64_t block = a.chunk.block_begin + 1; block < a.chunk.block_end; ++block) {
            kTiles2.run[pixels - 1](tile);
            tile.w += weights;
            tile.y += width;
            if (tile.bias) tile.bias += width;
            if (tile.residual) tile.residual += width;
        }
        (last_is_wide ? kTiles2.run : kTiles1.run)[pixels - 1](at_column(to, column));
        column += pixels;
    }
}

static void run_slice(const ConvArgs& a, int64_t slice, int64_t channels) {
    const ConvShape& s = *a.shape;
    const ConvPlan& plan = *a.plan;
    const ConvChunk& chunk = a.chunk;
    ConvSegment segments[kMaxSegments];
    Source sources[kMaxSegments];
    float* scratch = a.scratch;
    for (int i = 0; i < plan.segment_count; ++i) {
        segments[i] = clip(plan.segments[i], chunk);
        if (segments[i].begin < segments[i].end)
            sources[i] = segment_source(a, segments[i], slice, channels, &scratch);
    }
    if (plan.tiles_before_blocks) {
        const Tile first = tile_of(a, chunk.block_begin, slice, channels);
        const Tile last = tile_of(a, chunk.block_end - 1, slice, channels);
        const bool last_is_wide = s.oc - (chunk.block_end - 1) * plan.block > kLanes;
        for (int64_t row = chunk.row_begin; row < chunk.row_end; ++row)
            for (int i = 0; i < plan.segment_count; ++i)
                run_line_of_blocks(first, last, a, {sources[i], segments[i], row}, last_is_wide);
        return;
    }
    float* const partial = a.scratch + plan.staged_elements;
    const int64_t partial_block =
        (chunk.row_end - chunk.row_begin) * (chunk.column_end - chunk.column_begin) * plan.block;
    for (int64_t block = chunk.block_begin; block < chunk.block_end; ++block) {
        Tile t = tile_of(a, block, slice, channels);
        float* block_partial = partial + (block - chunk.block_begin) * partial_block;
        t.partial_in = slice > 0 ? block_partial : nullptr;
        t.partial_out = slice + channels < s.ic ? block_partial : nullptr;
        const bool wide = s.oc - block * plan.block > kLanes;
        for (int64_t row = chunk.row_begin; row < chunk.row_end; ++row)
            for (int i = 0; i < plan.segment_count; ++i)
                run_line(t, a, {sources[i], segments[i], row}, wide);
    }
}

static void run_direct(const ConvArgs& a) {
    const int64_t step = a.plan->ic_slice;
    for (int64_t slice = 0; slice < a.shape->ic; slice += step) {
        const int64_t rest = a.shape->ic - slice;
        run_slice(a, slice, rest < step ? rest : step);
    }
}

ConvKernel conv_direct_f32() { return {kLanes, kLanes > 1, run_direct}; }

}  // namespace hades::HADES_ISA
