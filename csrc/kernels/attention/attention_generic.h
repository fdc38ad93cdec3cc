#pragma once
#include <cstring>

#include "base/rounding.h"
#include "kernels/attention/attention.h"
#include "kernels/attention/attention_tiles.h"
#include "kernels/tile/pack_panels.h"

// Blocks of keys are packed once per chunk (keys transposed, values as they are); then tiles of
// rows pass over them: scores, their exponentials, and the product with the values, all in the
// caches. Where all keys fit one block (the windows of Swin) that is the textbook softmax; longer
// sequences carry a running maximum and sum per row and rescale what they have (Milakov and
// Gimelshein, "Online normalizer calculation for softmax", 2018; Dao et al., "FlashAttention",
// 2022). Blocks are taken in order, so results do not depend on the number of threads.
//
// Registers        those of tile/micro_kernel.h, for both products
// Per 16 scores    d / 2 cycles of multiply-adds for the scores, dv / 2 for the values, and about
//                  8 for addends, maximum and exponential (12 instructions on the same two ports):
//                  with d = dv = 32 at most 80 % of the peak can be useful
// Reached          windows of 144 keys, d = 32, bias and mask, in a network (Zen 4): .56 of the
//                  peak (AVX2), .54 (AVX-512); where the rest goes: tiles of scores begin and end
//                  after only d steps, and operands are packed for one use
// Numerics         the exponential is within 3e-7, sums are of vectors of lanes; scores below the
//                  maximum by 2^-126 count as 0; a row that sees no key gives zeros
namespace hades::HADES_ISA {

// One row of a tile: what is added to its scores (at key 0; nullptr: nothing), and the keys it
// sees.
struct ScoreRow {
    const float* addends[2];
    int64_t first_key, end_key;
};

// A tile of rows on its way through one block of keys.
struct RowTile {
    int64_t first;  // row of the chunk
    int rows;
    ScoreRow score_rows[kTileRows];
    TileAddend addends[2];  // of the first row; where rows lie evenly and keys side by side
    float* outputs[kTileRows];
    ScoreRow seen;         // keys that any row sees
    ScoreRow seen_by_all;  // and whose addends are those above
};

// Heads and queries in the order of rows; a division for every row would cost as much as its
// scores.
struct RowCursor {
    int64_t queries, head, query;

    RowCursor(const AttentionArgs& a, int64_t row)
        : queries(a.queries), head(row / a.queries), query(row % a.queries) {}
    void next() {
        if (++query == queries) {
            query = 0;
            ++head;
        }
    }
};

static void find_visible_keys(const AttentionArgs& a, int64_t query, ScoreRow* row) {
    const int64_t position = a.keys - a.queries + query;
    int64_t first = 0, end = a.keys;
    if (a.window) {
        first = position - a.window + 1;
        end = position + a.window;
    }
    if (a.causal) end = position + 1;
    end = end < 0 ? 0 : smaller(end, a.keys);
    row->end_key = end;
    row->first_key = first < 0 ? 0 : smaller(first, end);
}

// Widens `seen` by the keys that `row` sees.
static void include(const ScoreRow& row, ScoreRow* seen) {
    if (row.first_key >= row.end_key) return;
    if (row.first_key < seen->first_key) seen->first_key = row.first_key;
    if (row.end_key > seen->end_key) seen->end_key = row.end_key;
}

// Narrows `seen` to the keys that `row` sees too.
static void restrict_to(const ScoreRow& row, ScoreRow* seen) {
    if (row.first_key > seen->first_key) seen->first_key = row.first_key;
    if (row.end_key < seen->end_key) seen->end_key = row.end_key;
}

// Whether the addends of a tile are rows of one matrix, as they are within a head.
static bool find_tile_addend(const AttentionAddend& addend, int i, RowTile* tile) {
    const ScoreRow* rows = tile->score_rows;
    TileAddend& found = tile->addends[i];
    found = {rows[0].addends[i], 0};
    if (!addend.data) return true;
    if (tile->rows > 1) found.row = rows[1].addends[i] - rows[0].addends[i];
    for (int r = 2; r < tile->rows; ++r)
        if (rows[r].addends[i] - rows[r - 1].addends[i] != found.row) return false;
    return addend.col == 1;
}

// Lines of a row that a later pass reads or writes: rows of a window lie far apart, in no order
// that the processor could guess.
static void fetch_row(const float* row, int64_t floats) {
    for (int64_t i = 0; i < floats; i += kLineFloats) __builtin_prefetch(row + i);
}

static void describe_tile(const AttentionArgs& a, const AttentionScratch& s, bool direct,
                          RowTile* tile) {
    tile->seen = {{nullptr, nullptr}, a.keys, 0};
    tile->seen_by_all = {{nullptr, nullptr}, 0, a.keys};
    RowCursor at(a, a.first_row + tile->first);
    for (int r = 0; r < tile->rows; ++r, at.next()) {
        const int64_t head = at.head, query = at.query;
        ScoreRow& score_row = tile->score_rows[r];
        find_visible_keys(a, query, &score_row);
        include(score_row, &tile->seen);
        restrict_to(score_row, &tile->seen_by_all);
        for (int i = 0; i < 2; ++i) {
            const AttentionAddend& addend = a.addends[i];
            score_row.addends[i] =
                addend.data ? addend.data + head * addend.head + query * addend.row : nullptr;
        }
        if (direct) fetch_row(a.y + head * a.y_head + query * a.y_row, a.dv);
        tile->outputs[r] = direct ? a.y + head * a.y_head + query * a.y_row
                                  : a.scratch + s.outputs + (tile->first + r) * s.output_row;
    }
    for (int i = 0; i < 2; ++i)
        if (!find_tile_addend(a.addends[i], i, tile)) tile->seen_by_all.end_key = 0;
}

constexpr int64_t kRowsAhead = 8;

static void stage_queries(const AttentionArgs& a, const AttentionScratch& s) {
    const F32 scale = set1(a.scale * kLog2e);
    RowCursor at(a, a.first_row);
    for (int64_t r = 0; r < a.rows; ++r, at.next()) {
        const float* q = a.q + at.head * a.q_head + at.query * a.q_row;
        fetch_row(q + kRowsAhead * a.q_row, a.d);
        if (r < a.keys && r < a.block_keys) {  // on their way while the queries are read
            fetch_row(a.k + r * a.k_row, a.d);
            fetch_row(a.v + r * a.v_row, a.dv);
        }
        float* staged = a.scratch + s.queries + r * s.query_row;
        int64_t i = 0;
        for (; i + kLanes <= a.d; i += kLanes) store(staged + i, load(q + i) * scale);
        const int left = static_cast<int>(a.d - i);
        if (left) store_n(staged + i, load_n(q + i, left) * scale, left);
    }
}

static void reset_rows(const AttentionArgs& a, const AttentionScratch& s, bool direct) {
    RowCursor at(a, a.first_row);
    for (int64_t r = 0; r < a.rows; ++r, at.next()) {
        a.scratch[s.maxima + r] = a.sinks ? a.sinks[at.head] * kLog2e : -HUGE_VALF;
        a.scratch[s.sums + r] = a.sinks ? 1.0f : 0.0f;
    }
    if (!direct)
        memset(a.scratch + s.outputs, 0,
               static_cast<size_t>(a.rows * s.output_row) * sizeof(float));
}

static F32 load_addend(const float* data, int64_t stride, int lanes) {
    if (stride == 1) return load_n(data, lanes);
    float gathered[kLanes] = {};
    for (int i = 0; i < lanes; ++i) gathered[i] = data[i * stride];
    return load(gathered);
}

// What score_tile leaves out where a row does not see the whole panel, or addends have a stride.
static void finish_scores(const AttentionArgs& a, const RowTile& tile, const ScoreTileArgs& t,
                          int64_t first_key, int columns) {
    static const float kIndices[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const F32 index = load(kIndices), nothing = set1(-HUGE_VALF);
    for (int r = 0; r < tile.rows; ++r) {
        const ScoreRow& row = tile.score_rows[r];
        F32 top = load(t.top + r * kLanes);
        for (int c = 0; c < columns; c += kLanes) {
            const int64_t key = first_key + c;
            const int lanes = static_cast<int>(smaller(a.keys - key, kLanes));
            float* scores = t.scores + r * t.score_row + c;
            F32 score = load(scores);
            for (int i = 0; i < 2; ++i) {
                if (!row.addends[i] || lanes <= 0) continue;
                const int64_t stride = a.addends[i].col;
                const F32 addend = load_addend(row.addends[i] + key * stride, stride, lanes);
                score = fma(addend, set1(kLog2e), score);
            }
            const F32 end = set1(static_cast<float>(row.end_key - key));
            const F32 first = set1(static_cast<float>(row.first_key - key));
            score = select(less(index, end), score, nothing);
            score = select(less(index, first), nothing, score);
            top = max(top, score);
            store(scores, score);
        }
        store(t.top + r * kLanes, top);
    }
}

// Scores of the columns [begin, end) of a block; returns the end of what was written. Panels that
// all rows see whole are taken at once; the others are scored plainly and finished afterwards.
static int64_t score_block(const AttentionArgs& a, const AttentionScratch& s, const RowTile& tile,
                           int64_t block, int64_t columns, int64_t begin, int64_t end, float* top) {
    float ignored[kTileRows * kLanes];
    const int64_t first_whole = tile.seen_by_all.first_key - block;
    const int64_t end_whole = smaller(tile.seen_by_all.end_key - block, columns);
    ScoreTileArgs t;
    t.q = {a.scratch + s.queries + tile.first * s.query_row, s.query_row, 1};
    t.d = a.d;
    t.score_row = s.score_row;
    int64_t column = begin;
    while (column < end) {
        const int64_t in_panel = smaller(columns - column, kPanelWidth);
        const int vectors = static_cast<int>(ceil_div(in_panel, kLanes));
        const int width = vectors * kLanes;
        t.keys = {a.scratch + s.keys + column * a.d, width, 0};
        t.scores = a.scratch + s.scores + column;
        const int64_t whole =
            column < first_whole ? 0 : (smaller(end_whole, round_up(end, width)) - column) / width;
        for (int i = 0; i < 2; ++i) {
            const TileAddend& addend = tile.addends[i];
            t.addends[i] = {nullptr, addend.row};
            if (whole > 0 && addend.data) t.addends[i].data = addend.data + block + column;
        }
        t.top = whole > 0 ? top : ignored;
        t.panels = whole > 0 ? whole : 1;
        const int64_t written = t.panels * width;
        kTiles.score[tile.rows - 1][vectors - 1](t);
        if (whole <= 0) {
            t.scores = a.scratch + s.scores + column;
            t.top = top;
            finish_scores(a, tile, t, block + column, width);
        }
        column += written;
    }
    return column;
}

static void exponentiate(const AttentionArgs& a, const AttentionScratch& s, const RowTile& tile,
                         int64_t block, int64_t begin, int64_t end, const float* top, bool direct,
                         float* factors) {
    ExponentTileArgs t;
    t.scores = a.scratch + s.scores + begin;
    t.score_row = s.score_row;
    t.columns = end - begin;
    t.top = top;
    t.maxima = a.scratch + s.maxima + tile.first;
    t.sums = a.scratch + s.sums + tile.first;
    t.factors = factors;
    t.direct = direct;
    for (int i = 0; i < 2; ++i) {
        t.next[i] = tile.addends[i];
        if (a.addends[i].col != 1) t.next[i].data = nullptr;
        if (t.next[i].data) t.next[i].data += tile.rows * t.next[i].row + block + begin;
    }
    kTiles.exponent[tile.rows - 1](t);
}

static void add_values(const AttentionArgs& a, const AttentionScratch& s, const RowTile& tile,
                       const Right& values, bool packed, int64_t block_keys, int64_t begin,
                       int64_t end, bool direct, const float* factors) {
    ValueTileArgs t;
    t.p = {a.scratch + s.scores + begin, s.score_row, 1};
    t.keys = end - begin;
    t.accumulate = !direct;
    t.outputs = tile.outputs;
    t.factors = factors;
    for (int64_t column = 0; column < a.dv; column += kPanelWidth) {
        t.column = column;
        t.columns = static_cast<int>(smaller(a.dv - column, kPanelWidth));
        const int vectors = ceil_div(t.columns, kLanes);
        const int64_t step = packed ? vectors * kLanes : values.step;
        t.values.data = values.data + column * (packed ? block_keys : 1) + begin * step;
        t.values.step = step;
        t.values.panel = 0;
        kTiles.value[tile.rows - 1][vectors - 1](t);
    }
}

// One block of keys: packed, then every tile of rows passes over it.
static void run_key_block(const AttentionArgs& a, const AttentionScratch& s, int64_t block,
                          bool direct) {
    const int64_t columns = smaller(a.block_keys, a.keys - block);
    const float* keys = a.k + block * a.k_row;
    const float* v = a.v + block * a.v_row;
    pack_panels({keys, 1, a.k_row, a.d, columns, a.scratch + s.keys});
    // One tile reads the values once: copying them first would only cost.
    const bool packed = a.rows > kTileRows || a.dv % kLanes != 0;
    Right values{v, a.v_row, 0};
    if (packed) {
        values.data = a.scratch + s.values;
        pack_panels({v, a.v_row, 1, columns, a.dv, a.scratch + s.values});
    }
    const int64_t tiles = ceil_div(a.rows, kTileRows);
    for (int64_t i = 0; i < tiles; ++i) {
        RowTile tile;
        tile.first = a.rows * i / tiles;
        tile.rows = static_cast<int>(a.rows * (i + 1) / tiles - tile.first);
        describe_tile(a, s, direct, &tile);
        const int64_t first = tile.seen.first_key > block ? tile.seen.first_key - block : 0;
        const int64_t end = smaller(tile.seen.end_key - block, columns);
        if (first >= end && !direct) continue;
        const int64_t begin = first >= end ? 0 : first / kPanelWidth * kPanelWidth;
        const int64_t seen = first >= end ? 0 : end;
        float top[kTileRows * kLanes], factors[kTileRows];
        for (int r = 0; r < tile.rows; ++r) store(top + r * kLanes, set1(-HUGE_VALF));
        const int64_t written = score_block(a, s, tile, block, columns, begin, seen, top);
        exponentiate(a, s, tile, block, begin, written, top, direct, factors);
        add_values(a, s, tile, values, packed, columns, begin, seen, direct, factors);
    }
}

static void divide_by_sums(const AttentionArgs& a, const AttentionScratch& s) {
    RowCursor at(a, a.first_row);
    for (int64_t r = 0; r < a.rows; ++r, at.next()) {
        const float* output = a.scratch + s.outputs + r * s.output_row;
        const float total = a.scratch[s.sums + r];
        const F32 inverse = set1(total != 0.0f ? 1.0f / total : 0.0f);
        float* y = a.y + at.head * a.y_head + at.query * a.y_row;
        for (int64_t c = 0; c < a.dv; c += kLanes)
            store_n(y + c, load(output + c) * inverse, static_cast<int>(smaller(a.dv - c, kLanes)));
    }
}

// Keys that any row sees.
static ScoreRow find_seen_keys(const AttentionArgs& a) {
    ScoreRow seen{{nullptr, nullptr}, a.keys, 0};
    RowCursor at(a, a.first_row);
    for (int64_t r = 0; r < a.rows; ++r, at.next()) {
        ScoreRow row;
        find_visible_keys(a, at.query, &row);
        include(row, &seen);
    }
    return seen;
}

static void run_attention(const AttentionArgs& a) {
    const AttentionScratch s = attention_scratch(a.rows, a.block_keys, a.d, a.dv, kTileRows);
    const bool direct = a.keys > 0 && a.keys <= a.block_keys;
    stage_queries(a, s);
    reset_rows(a, s, direct);
    if (direct) return run_key_block(a, s, 0, true);
    const ScoreRow seen = find_seen_keys(a);
    for (int64_t block = 0; block < a.keys; block += a.block_keys)
        if (block < seen.end_key && block + a.block_keys > seen.first_key)
            run_key_block(a, s, block, false);
    divide_by_sums(a, s);
}

AttentionKernel attention_f32() { return {kTileRows, run_attention}; }

}  // namespace hades::HADES_ISA
