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

// Columns of one source, and the tiles that cut them: of two vectors, and of one.
struct Band {
    ConvSegment segment;
    Source source;
    EvenSplit wide, narrow;
};

// The first tile of an output row.
HADES_INLINE Tile at_row(Tile t, const ConvArgs& a, const Band& band, int64_t row) {
    const ConvShape& s = *a.shape;
    const Source& source = band.source;
    const ConvTapRange taps =
        taps_inside(row, s.stride_h, s.pad_top, s.dilation_h, s.kernel_h, s.height);
    const int64_t input_row = row * s.stride_h - s.pad_top + taps.begin * s.dilation_h;
    const int64_t column = band.segment.begin;
    t.pixel = s.stride_w * source.pixel;
    t.tap_row = s.dilation_h * source.row;
    t.tap_column = s.dilation_w * source.pixel;
    t.rows = taps.end - taps.begin;
    t.w += taps.begin * t.w_row;
    t.x = source.base + input_row * source.row - s.pad_left * source.pixel + column * t.pixel;
    t.y += row * s.y_row + column * t.y_pixel;
    if (t.residual) t.residual += row * s.residual_row + column * t.residual_pixel;
    return t;
}

// Tiles are moved in place: copies of what was just written would wait for it.
HADES_INLINE void move_on(Tile* t, int64_t pixels) {
    t->x += pixels * t->pixel;
    t->y += pixels * t->y_pixel;
    if (t->residual) t->residual += pixels * t->residual_pixel;
}

// Calls body(pixels) for each tile of a row.
template <class Body>
HADES_INLINE void for_tiles(const EvenSplit& split, const Body& body) {
    for (int64_t i = 0; i < split.even; ++i) body(split.size);
    for (int64_t i = 0; i < split.larger; ++i) body(split.size + 1);
}

// A row of a band against one block of output channels.
HADES_INLINE void run_row(const Tile& block, const ConvArgs& a, const Band& band, int64_t row,
                          bool wide) {
    const TileFn* tiles = wide ? kTiles2.run : kTiles1.run;
    const int64_t sums = wide ? 2 * kLanes : kLanes;
    const ConvChunk& chunk = a.chunk;
    const int64_t first =
        (row - chunk.row_begin) * (chunk.column_end - chunk.column_begin) - chunk.column_begin;
    Tile t = at_row(block, a, band, row);
    if (t.partial_in) t.partial_in += (first + band.segment.begin) * sums;
    if (t.partial_out) t.partial_out += (first + band.segment.begin) * sums;
    for_tiles(wide ? band.wide : band.narrow, [&](int64_t pixels) {
        tiles[pixels - 1](t);
        move_on(&t, pixels);
        if (t.partial_in) t.partial_in += pixels * sums;
        if (t.partial_out) t.partial_out += pixels * sums;
    });
}

// A row of a band against all blocks of the chunk, tile by tile: the output is written in the order
// in which it lies. The sums are complete; the tiles given are those of the first and of the last
// block, whose weights may be narrower.
HADES_INLINE void run_row_of_blocks(const Tile& first, const Tile& last, const ConvArgs& a,
                                    const Band& band, int64_t row, bool last_is_wide) {
    const ConvShape& s = *a.shape;
    const int64_t width = a.plan->block;
    const int64_t others = a.chunk.block_end - a.chunk.block_begin - 1;
    const int64_t weights = width * s.kernel_h * s.kernel_w * s.ic;
    Tile t = at_row(first, a, band, row), end = at_row(last, a, band, row);
    const auto step = [&](int64_t blocks) {
        t.w += blocks * weights;
        t.y += blocks * width;
        if (t.bias) t.bias += blocks * width;
        if (t.residual) t.residual += blocks * width;
    };
    for_tiles(band.wide, [&](int64_t pixels) {
        for (int64_t block = 0; block < others; ++block, step(1)) kTiles2.run[pixels - 1](t);
        (last_is_wide ? kTiles2.run : kTiles1.run)[pixels - 1](end);
        step(-others);
        move_on(&t, pixels);
        move_on(&end, pixels);
    });
}

HADES_INLINE Band make_band(const ConvArgs& a, const ConvSegment& segment, int64_t slice,
                            int64_t channels, float** scratch) {
    const int64_t columns = segment.end - segment.begin;
    return {segment,
            segment_source(a, segment, slice, channels, scratch),
            {columns, kPixels2},
            {columns, kPixels1}};
}

static void run_slice(const ConvArgs& a, int64_t slice, int64_t channels) {
    const ConvShape& s = *a.shape;
    const ConvPlan& plan = *a.plan;
    const ConvChunk& chunk = a.chunk;
    Band bands[kMaxSegments];
    int count = 0;
    float* scratch = a.scratch;
    for (int i = 0; i < plan.segment_count; ++i) {
        const ConvSegment segment = clip(plan.segments[i], chunk);
        if (segment.begin < segment.end)
            bands[count++] = make_band(a, segment, slice, channels, &scratch);
    }
    if (plan.tiles_before_blocks) {
        const Tile first = tile_of(a, chunk.block_begin, slice, channels);
        const Tile last = tile_of(a, chunk.block_end - 1, slice, channels);
        const bool last_is_wide = s.oc - (chunk.block_end - 1) * plan.block > kLanes;
        for (int64_t row = chunk.row_begin; row < chunk.row_end; ++row)
            for (int i = 0; i < count; ++i)
                run_row_of_blocks(first, last, a, bands[i], row, last_is_wide);
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
            for (int i = 0; i < count; ++i) run_row(t, a, bands[i], row, wide);
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
