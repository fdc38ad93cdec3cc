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

// What all tiles of a call have in common.
HADES_INLINE Tile tile_of(const ConvArgs& a, int64_t channels) {
    const ConvShape& s = *a.shape;
    Tile t = {};
    t.inner = a.plan->merged_taps ? s.kernel_w * s.ic : channels;
    t.columns = a.plan->merged_taps ? 1 : s.kernel_w;
    t.y_pixel = s.y_pixel;
    t.residual_pixel = s.residual_pixel;
    t.epilogue = &s.epilogue;
    t.clamp = clamp_of(s.epilogue, a.residual != nullptr);
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
        const int64_t count = ceil_div(left, widest);
        const int64_t pixels = ceil_div(left, count);
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

static void run_direct(const ConvArgs& a) {
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
            const int64_t width = packed_width(block_oc);
            const bool wide = width > kLanes;
            const int64_t packed_oc = round_up(s.oc, kLanes);
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
                    run_row(t, a, sources[i], segments[i], row, wide ? kTiles2.run : kTiles1.run,
                            wide ? kPixels2 : kPixels1, width);
        }
    }
}

ConvKernel conv_direct_f32() { return {kLanes, kLanes > 1, run_direct}; }

}  // namespace hades::HADES_ISA
