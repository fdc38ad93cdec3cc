#pragma once

#include "base/rounding.h"
#include "kernels/qconv/source_generic.h"
#include "kernels/qconv/tile_generic.h"

// Convolution of bytes as an implicit matrix product; packed weights: see pack.h.
//   sum[p, o] = bias[o] - x_zero * (sum of w[o]) + sum over taps t of x[p * stride + t * dilation]
//   . w[o, t]
// Rows of taps outside the image are skipped, in the sum of w as well; columns outside it are
// staged as x_zero. Numerics: exact in int32, modulo 2^32; see base/requantize.h for what follows.
namespace hades::HADES_ISA {

// A packed block of output channels of the group of the chunk.
struct Block {
    const uint8_t* w;
    const uint8_t* row_sums;    // int32 [row of taps][V vectors]
    const uint8_t* extra_ends;  // int32 [V][row of taps + 1], where weights may saturate
    const uint8_t* extra;
    int64_t vectors, channel;  // the first channel of all
    int last_lanes;
};

HADES_INLINE int32_t load_i32(const uint8_t* p, int64_t index) {
    int32_t value;
    memcpy(&value, p + index * 4, sizeof value);
    return value;
}

HADES_INLINE Block block_at(const QconvArgs& a, int64_t index) {
    const ConvShape& s = a.shape->conv;
    const QconvPlan& plan = *a.plan;
    const int64_t first = index * plan.block;
    const int64_t left = s.oc - first < plan.block ? s.oc - first : plan.block;
    Block block;
    block.vectors = left > kLanes ? 2 : 1;
    block.last_lanes = static_cast<int>(left - (block.vectors - 1) * kLanes);
    block.channel = a.chunk.group * s.oc + first;
    const int64_t width = block.vectors * kLanes;
    const int64_t runs = plan.merged_taps ? s.kernel_h : s.kernel_h * s.kernel_w;
    block.w = a.w + a.chunk.group * plan.group_bytes + index * plan.block_bytes;
    block.row_sums = block.w + runs * plan.quads * width * 4;
    block.extra_ends = block.row_sums + s.kernel_h * width * 4;
    block.extra = block.extra_ends + block.vectors * (s.kernel_h + 1) * 4;
    return block;
}

// An output row, and the rows of taps that lie inside the image.
struct Line {
    int64_t row;
    ConvTapRange taps;
};

// What the sums of a row begin with.
HADES_INLINE void fill_start(const QconvArgs& a, const Block& block, const ConvTapRange& taps,
                             int32_t* start) {
    const int64_t width = block.vectors * kLanes;
    const int64_t channels = width - kLanes + block.last_lanes;
    const auto x_zero = static_cast<uint32_t>(a.shape->x_zero);
    for (int64_t o = 0; o < width; ++o) {
        uint32_t sum = 0;
        for (int64_t row = taps.begin; row < taps.end; ++row)
            sum += static_cast<uint32_t>(load_i32(block.row_sums, row * width + o));
        const int32_t bias = a.bias && o < channels ? a.bias[block.channel + o] : 0;
        start[o] = static_cast<int32_t>(static_cast<uint32_t>(bias) - x_zero * sum);
    }
}

// What the tiles of a line have in common; pixel 0 of the row is where they begin.
HADES_INLINE QuadTile tile_of(const QconvArgs& a, const Source& source, const Block& block,
                              const Line& line, const int32_t* start) {
    const ConvShape& s = a.shape->conv;
    const QconvPlan& plan = *a.plan;
    const Requantize& r = a.shape->requantize;
    const ConvTapRange& taps = line.taps;
    QuadTile t = {};
    t.pixel = s.stride_w * source.pixel;
    t.tap_row = s.dilation_h * source.row;
    t.tap_column = s.dilation_w * source.pixel;
    t.rows = taps.end - taps.begin;
    // A row of taps is one run where neither dilation nor padding of channels is between them.
    const bool is_run = s.dilation_w == 1 && source.pixel == 4 * plan.quads && !plan.merged_taps;
    t.columns = plan.merged_taps || is_run ? 1 : s.kernel_w;
    t.quads = is_run ? s.kernel_w * plan.quads : plan.quads;
    t.is_dense = t.pixel == 4 * t.quads;
    t.w_column = t.quads * block.vectors * kQuadBytes;
    t.w_row = t.columns * t.w_column;
    t.w = block.w + taps.begin * t.w_row;
    t.x = source.base +
          (line.row * s.stride_h - s.pad_top + taps.begin * s.dilation_h) * source.row -
          s.pad_left * source.pixel;
    t.extra = block.extra;
    t.extra_ends = reinterpret_cast<const int32_t*>(block.extra_ends) + taps.begin;
    t.extra_rows = s.kernel_h + 1;
    t.start = start;
    t.requantize = &r;
    t.last_lanes = block.last_lanes;
    t.to.factor = a.factor + block.channel;
    t.to.offset = a.offset ? a.offset + block.channel : nullptr;
    t.to.y_row = s.y_pixel;
    t.to.residual_row = s.residual_pixel;
    t.to.residual = a.residual;
    t.limits = limits_of(r, t.to);
    return t;
}

// A line as tiles of nearly equal width: the first `wider` have a pixel more.
struct LineCut {
    int64_t pixels, wider;
};

HADES_INLINE LineCut cut_line(int64_t columns, int64_t widest) {
    const int64_t tiles = ceil_div(columns, widest);
    return {columns / tiles, columns % tiles};
}

// Blocks that a tile of pixels meets one after the other: its input stays in the first-level cache
// while their weights, which are read in order, come from the second.
constexpr int64_t kGroupBlocks = 16, kGroupBytes = 256 << 10;

struct BlockRun {
    Block block;
    QuadTile tile;  // of a line
    int32_t start[2 * kLanes];
};

// Lets a tile begin at that column of a line.
HADES_INLINE void place(const QconvArgs& a, int64_t row, int64_t column, const uint8_t* x,
                        const Block& block, QuadTile* t) {
    const ConvShape& s = a.shape->conv;
    const Requantize& r = a.shape->requantize;
    t->x = x + column * t->pixel;
    t->to.y =
        advanced(a.y, r.y_is_bytes,
                 a.chunk.image * s.y_image + row * s.y_row + column * s.y_pixel + block.channel);
    if (a.residual)
        t->to.residual = advanced(a.residual, r.residual_is_bytes,
                                  a.chunk.image * s.residual_image + row * s.residual_row +
                                      column * s.residual_pixel + block.channel);
}

// A line against blocks of one width.
HADES_INLINE void run_line(const QconvArgs& a, BlockRun* runs, int64_t count, int64_t row) {
    const Tiles tiles = tiles_of(runs->block.vectors, runs->tile.quads, a.plan->wide);
    LineCut cut = cut_line(a.chunk.column_end - a.chunk.column_begin, tiles.widest);
    const uint8_t* const x = runs->tile.x;
    for (int64_t column = a.chunk.column_begin; column < a.chunk.column_end;) {
        const int64_t pixels = cut.pixels + (cut.wider-- > 0);
        for (BlockRun* run = runs; run < runs + count; ++run) {
            place(a, row, column, x, run->block, &run->tile);
            tiles.run[pixels - 1](run->tile);
        }
        column += pixels;
    }
}

static void run_group(const QconvArgs& a, const Source& source, int64_t begin, int64_t end) {
    const ConvShape& s = a.shape->conv;
    BlockRun runs[kGroupBlocks];
    for (int64_t index = begin; index < end; ++index)
        runs[index - begin].block = block_at(a, index);
    ConvTapRange filled = {-1, -1};
    for (int64_t row = a.chunk.row_begin; row < a.chunk.row_end; ++row) {
        ConvTapRange taps =
            taps_inside(row, s.stride_h, s.pad_top, s.dilation_h, s.kernel_h, s.height);
        if (taps.begin == taps.end) taps = {0, 0};
        for (BlockRun* run = runs; run < runs + (end - begin); ++run) {
            if (taps.begin != filled.begin || taps.end != filled.end)
                fill_start(a, run->block, taps, run->start);
            run->tile = tile_of(a, source, run->block, {row, taps}, run->start);
        }
        filled = taps;
        run_line(a, runs, end - begin, row);
    }
}

// One at a time where its weights stay in the first-level cache and those of two would not, and
// every pixel is read for several taps.
HADES_INLINE int64_t blocks_together(const ConvShape& s, const QconvPlan& plan) {
    constexpr int64_t kFirstLevel = 32 << 10;
    const bool is_kept = plan.block_bytes < kFirstLevel && 4 * plan.block_bytes > kFirstLevel;
    if (s.kernel_h * s.kernel_w > 1 && is_kept) return 1;
    const int64_t fitting = kGroupBytes / plan.block_bytes;
    return fitting < 1 ? 1 : fitting < kGroupBlocks ? fitting : kGroupBlocks;
}

static void run_direct(const QconvArgs& a) {
    const ConvShape& s = a.shape->conv;
    const QconvPlan& plan = *a.plan;
    const Source source = source_of(a, a.chunk.group * s.ic, s.ic);
    const int64_t most = blocks_together(s, plan);
    const int64_t whole = s.oc % plan.block > 0 && s.oc % plan.block <= kLanes  // the last one is
                              ? plan.blocks - 1                                 // narrower
                              : plan.blocks;
    for (int64_t index = a.chunk.block_begin; index < a.chunk.block_end;) {
        const int64_t limit =
            index < whole && whole < a.chunk.block_end ? whole : a.chunk.block_end;
        const int64_t end = index + most < limit ? index + most : limit;
        run_group(a, source, index, end);
        index = end;
    }
}

QconvKernel qconv_u8() { return {kLanes, 2, kDotSaturates, run_direct}; }

}  // namespace hades::HADES_ISA
