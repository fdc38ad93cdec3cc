#pragma once
#include "kernels/paged_attention/score_tile_generic.h"

// Several tokens of a sequence visit its keys and values together. A step of one or two blocks is
// widened to float32 once, into a panel that stays in the first cache, and the rows of all tokens
// pass over it, a tile of them at a time. Rows are in the order of tokens, so those of a tile see
// nearly the same; what only some of them see weighs nothing for the others. Every sum of a row has
// the order that it has when the token is alone.
namespace hades::HADES_ISA {

// Accumulators of a tile fill the registers but for the operands of one round.
static constexpr int kTileRows = kLanes == 16 ? 12 : kLanes == 8 ? 6 : 4;
static constexpr int kTileColumns = kLanes == 1 ? 4 : 2;  // vectors of dimensions

struct Row {
    const float* q;
    float* o;
    Seen seen;
    Progress progress;
    Shares shares;  // of the partition
};

struct Tile {
    int64_t row;
    int rows;
    Seen seen;  // by any of its rows
};

struct Visit {
    const PagedAttentionArgs* args;
    int64_t d;
    float* q;       // per tile [d][rows of the tile]
    float* scores;  // [rows][kScoreRow]
    float* sums;    // [rows][d], of the partition
    float* panel;   // a step of keys [block][d][16], or of values [16 blocks][d]
    int64_t row_count, tile_count;
    Row rows[kMostRows];
    Tile tiles[kMostRows];
};

static void list_rows(Visit& visit) {
    const PagedAttentionArgs& args = *visit.args;
    visit.row_count = 0;
    for (int64_t token = 0; token < args.tokens; ++token)
        for (int64_t head = 0; head < args.heads; ++head)
            visit.rows[visit.row_count++] = {args.q + token * args.q_token + head * visit.d,
                                             args.o + token * args.o_token + head * visit.d,
                                             seen_by(args, token),
                                             at_sink(args, head),
                                             {}};
}

// Tiles are as equal as they can be.
static void cut_tiles(Visit& visit) {
    visit.tile_count = (visit.row_count + kTileRows - 1) / kTileRows;
    for (int64_t index = 0; index < visit.tile_count; ++index) {
        const int64_t row = index * visit.row_count / visit.tile_count;
        const int64_t end = (index + 1) * visit.row_count / visit.tile_count;
        const Seen seen = {visit.rows[row].seen.first, visit.rows[end - 1].seen.last};
        visit.tiles[index] = {row, static_cast<int>(end - row), seen};
    }
}

// What a tile leaves behind its end is overwritten by the next one, at last by the sums.
static void pack_tiles(const Visit& visit) {
    for (int64_t index = 0; index < visit.tile_count; ++index) {
        const Tile& tile = visit.tiles[index];
        const float* q[kTileRows];
        for (int r = 0; r < tile.rows; ++r) q[r] = visit.rows[tile.row + r].q;
        pack_queries(q, tile.rows, visit.d, visit.q + tile.row * visit.d);
    }
}

// Keys and values in a panel.
struct Panel {
    using Stored = float;
    HADES_INLINE F32 load(const Stored* p) { return HADES_ISA::load(p); }
};

template <class Cache>
static void widen(const uint8_t* stored, int64_t count, float* to) {
    const auto* from = reinterpret_cast<const typename Cache::Stored*>(stored);
    for (int64_t i = 0; i < count; i += kLanes) store(to + i, Cache::load(from + i));
}

// sums[row] += sum over `count` positions of weight[row][position] * value[position], for W vectors
// of dimensions.
template <int R, int W>
static void add_tile(const float* weights, const float* values, int64_t count, int64_t d,
                     float* sums) {
    F32 by_row[R][W];
    for (int r = 0; r < R; ++r)
        for (int w = 0; w < W; ++w) by_row[r][w] = load(sums + r * d + w * kLanes);
    for (int64_t t = 0; t < count; ++t, values += d) {
        F32 value[W];
        for (int w = 0; w < W; ++w) value[w] = load(values + w * kLanes);
        for (int r = 0; r < R; ++r) {
            const F32 by = set1(weights[r * kScoreRow + t]);
            for (int w = 0; w < W; ++w) by_row[r][w] = fma(by, value[w], by_row[r][w]);
        }
    }
    for (int r = 0; r < R; ++r)
        for (int w = 0; w < W; ++w) store(sums + r * d + w * kLanes, by_row[r][w]);
}

template <int R>
static void score_rows(const Visit& visit, const Tile& tile, Seen step, int64_t start,
                       const float* factors, const Ahead& ahead) {
    const int64_t block = first_block(step), d = visit.d;
    const int64_t skipped = block % kStepBlocks;
    const float* keys[kStepBlocks];
    for (int64_t b = 0; b < kStepBlocks; ++b)
        keys[b] = visit.panel + (skipped + b) % kStepBlocks * kBlockTokens * d;
    const float* q = visit.q + tile.row * d;
    float* scores = visit.scores + tile.row * kScoreRow + block * kBlockTokens - start;
    factors += skipped * kBlockTokens;
    if (end_block(step) - block == kStepBlocks)
        return score_tile<Panel, R, kStepBlocks>(q, keys, d, factors, ahead, scores);
    score_tile<Panel, R, 1>(q, keys, d, factors, ahead, scores);
}

template <int R>
static void add_rows(const Visit& visit, const Tile& tile, Seen step, int64_t start) {
    const int64_t d = visit.d, skipped = step.first % (kStepBlocks * kBlockTokens);
    const float* weights = visit.scores + tile.row * kScoreRow + step.first - start;
    const float* values = visit.panel + skipped * d;
    const int64_t count = step.last + 1 - step.first;
    float* sums = visit.sums + tile.row * d;
    int64_t i = 0;
    for (; i + kTileColumns * kLanes <= d; i += kTileColumns * kLanes)
        add_tile<R, kTileColumns>(weights, values + i, count, d, sums + i);
    for (; i < d; i += kLanes) add_tile<R, 1>(weights, values + i, count, d, sums + i);
}

template <int R = kTileRows>
static void score_any(const Visit& visit, const Tile& tile, Seen step, int64_t start,
                      const float* factors, const Ahead& ahead) {
    if constexpr (R > 1) {
        if (tile.rows < R) return score_any<R - 1>(visit, tile, step, start, factors, ahead);
    }
    score_rows<R>(visit, tile, step, start, factors, ahead);
}

template <int R = kTileRows>
static void add_any(const Visit& visit, const Tile& tile, Seen step, int64_t start) {
    if constexpr (R > 1) {
        if (tile.rows < R) return add_any<R - 1>(visit, tile, step, start);
    }
    add_rows<R>(visit, tile, step, start);
}

// The step that begins at block b, as positions.
HADES_INLINE Seen step_at(int64_t b) {
    return {b * kBlockTokens, (b + kStepBlocks) * kBlockTokens - 1};
}

// What scores are multiplied by, per position of the step; its keys into the panel.
template <class Cache>
static void widen_keys(const Visit& visit, Seen step, float* factors) {
    const PagedAttentionArgs& args = *visit.args;
    const int64_t values = kBlockTokens * visit.d;
    for (int64_t b = first_block(step); b < end_block(step); ++b) {
        const uint8_t* keys = block_at(args, b);
        const int64_t place = b % kStepBlocks;
        widen<Cache>(keys, values, visit.panel + place * values);
        key_factors(args, keys, factors + place * kBlockTokens);
    }
}

template <class Cache>
static void widen_values(const Visit& visit, Seen step) {
    const int64_t count = kBlockTokens * visit.d, part = visit.args->block.part_bytes();
    for (int64_t b = first_block(step); b < end_block(step); ++b)
        widen<Cache>(block_at(*visit.args, b) + part, count, visit.panel + b % kStepBlocks * count);
}

template <class Cache>
static void score_partition(const Visit& visit, Seen here, int64_t start) {
    float factors[kStepBlocks * kBlockTokens];
    for (int64_t b = first_block(here) / kStepBlocks * kStepBlocks; b < end_block(here);
         b += kStepBlocks) {
        const Seen step = both(step_at(b), here);
        widen_keys<Cache>(visit, step, factors);
        Ahead ahead = ahead_of(*visit.args, here, b);
        for (int64_t index = 0; index < visit.tile_count; ++index) {
            const Tile& tile = visit.tiles[index];
            const Seen part = both(step, tile.seen);
            if (is_empty(part)) continue;
            score_any(visit, tile, part, start, factors, ahead);
            ahead.bytes = 0;
        }
    }
}

// Rows that see nothing of what their tile sees here stay as they are.
static void weigh_tile(Visit& visit, const Tile& tile, int64_t start) {
    const Seen shared = within(tile.seen, start);
    for (int64_t index = tile.row; index < tile.row + tile.rows; ++index) {
        Row& row = visit.rows[index];
        float* scores = visit.scores + index * kScoreRow;
        const Seen here = within(row.seen, start);
        if (is_empty(here)) {
            fill(scores, shared.first - start, shared.last + 1 - start, 0.0f);
            row.shares = {1.0f, 0.0f};
            continue;
        }
        row.shares = weigh(scores, start, here, &row.progress);
        if (visit.args->block.is_int8) scale_weights(*visit.args, start, here, scores);
        fill(scores, shared.first - start, here.first - start, 0.0f);
        fill(scores, here.last + 1 - start, shared.last + 1 - start, 0.0f);
    }
}

template <class Cache>
static void add_partition(const Visit& visit, Seen here, int64_t start) {
    fill(visit.sums, 0, visit.row_count * visit.d, 0.0f);
    for (int64_t b = first_block(here) / kStepBlocks * kStepBlocks; b < end_block(here);
         b += kStepBlocks) {
        const Seen step = both(step_at(b), here);
        widen_values<Cache>(visit, step);
        for (int64_t index = 0; index < visit.tile_count; ++index) {
            const Tile& tile = visit.tiles[index];
            const Seen part = both(step, tile.seen);
            if (!is_empty(part)) add_any(visit, tile, part, start);
        }
    }
    for (int64_t index = 0; index < visit.row_count; ++index) {
        const Row& row = visit.rows[index];
        const float* sums = visit.sums + index * visit.d;
        for (int64_t i = 0; i < visit.d; i += kLanes) merge(row.o + i, load(sums + i), row.shares);
    }
}

template <class Cache>
static void attend_several(const PagedAttentionArgs& args) {
    Visit visit;
    visit.args = &args;
    visit.d = args.block.head_dim;
    visit.panel = args.scratch;
    visit.scores = visit.panel + kMostStepBlocks * kBlockTokens * visit.d;
    visit.q = visit.scores + kMostRows * kScoreRow;
    visit.sums = visit.q + kMostRows * visit.d;
    list_rows(visit);
    cut_tiles(visit);
    pack_tiles(visit);
    for (int64_t row = 0; row < visit.row_count; ++row) fill(visit.rows[row].o, 0, visit.d, 0.0f);
    const Seen seen = {visit.rows[0].seen.first, visit.rows[visit.row_count - 1].seen.last};
    for (int64_t start = seen.first / kPartition * kPartition; start <= seen.last;
         start += kPartition) {
        const Seen here = within(seen, start);
        score_partition<Cache>(visit, here, start);
        for (int64_t index = 0; index < visit.tile_count; ++index)
            weigh_tile(visit, visit.tiles[index], start);
        add_partition<Cache>(visit, here, start);
    }
    for (int64_t index = 0; index < visit.row_count; ++index) {
        const Row& row = visit.rows[index];
        finish(row.o, visit.d, row.progress.total, row.o);
    }
}

}  // namespace hades::HADES_ISA
