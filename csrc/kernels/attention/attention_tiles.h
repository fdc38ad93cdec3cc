#pragma once
#include <cmath>

#include "kernels/tile/micro_kernel.h"
#include "simd/math.h"

// The two products of attention as register tiles, with what can be done to the scores on the way.
namespace hades::HADES_ISA {

constexpr float kLog2e = 0x1.715476p+0f;

// 2^x for x <= 0 within 3e-7; 1 at 0, and exactly 0 from -127 on, where fully masked scores (-inf)
// lie.
HADES_INLINE F32 exp2_of_nonpositive(F32 x) { return exp2_near_zero(max(set1(-127.0f), x)); }

// What is added to the scores of a tile: rows are `row` floats apart; nullptr: nothing.
struct TileAddend {
    const float* data;
    int64_t row;
};

// Scores of `panels` panels of keys, one after the other, in units of log 2: the queries were
// scaled by log2(e), the addends are scaled here. `top` gathers the largest scores of each row, a
// vector per row. The arguments move along.
struct ScoreTileArgs {
    Left q;
    Right keys;
    int64_t d;
    TileAddend addends[2];  // at the first key of the panel
    int64_t panels;
    float* scores;
    int64_t score_row;
    float* top;
};

template <int MR, int NV>
HADES_INLINE void score_tile(const ScoreTileArgs& t) {
    Tile<MR, NV> tile;
    clear(tile);
    multiply<false>(t.q, t.keys, t.d, tile);
    float factor = kLog2e;
    asm("" : "+m"(factor));  // in a register now, where it would have taken one from the sums
    const F32 log2e = set1(factor);
    for (const TileAddend& addend : t.addends) {
        const float* row = addend.data;
        if (!row) continue;
#pragma GCC unroll 16
        for (int r = 0; r < MR; ++r, row += addend.row)
#pragma GCC unroll 8
            for (int v = 0; v < NV; ++v)
                tile.acc[r][v] = fma(load(row + v * kLanes), log2e, tile.acc[r][v]);
    }
    float* scores = t.scores;
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r, scores += t.score_row) {
        F32 top = load(t.top + r * kLanes);
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) {
            top = max(top, tile.acc[r][v]);
            store(scores + v * kLanes, tile.acc[r][v]);
        }
        store(t.top + r * kLanes, top);
    }
}

template <int MR, int NV>
void score_tiles(ScoreTileArgs& t) {
    constexpr int kWidth = NV * kLanes;
    for (; t.panels > 0; --t.panels) {
        score_tile<MR, NV>(t);
        t.keys.data += kWidth * t.d;
        for (TileAddend& addend : t.addends)
            if (addend.data) addend.data += kWidth;
        t.scores += kWidth;
    }
}

// Scores to exponentials below the running maximum. The factor of a row is what its earlier output
// shrinks by or, when this is its only block, the inverse of its sum.
struct ExponentTileArgs {
    float* scores;
    int64_t score_row, columns;  // whole vectors
    const float* top;            // a vector per row
    float *maxima, *sums;        // of the blocks before; of this one too, afterwards
    float* factors;
    bool direct;
    TileAddend next[2];  // what the next tile will add
};

// All rows side by side: the chain of an exponential is long, and those of a short row too few.
template <int MR>
void exponent_tile(const ExponentTileArgs& t) {
    float shifts[MR];
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r) {
        const float before = t.maxima[r], highest = max_of(load(t.top + r * kLanes));
        t.maxima[r] = highest > before ? highest : before;
        shifts[r] = t.maxima[r] == -HUGE_VALF ? 0.0f : t.maxima[r];
        float shrink[kLanes] = {};
        if (before != -HUGE_VALF) store(shrink, exp2_of_nonpositive(set1(before - shifts[r])));
        t.factors[r] = shrink[0];
    }
    F32 totals[MR];
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r) totals[r] = zero();
    for (int64_t c = 0; c < t.columns; c += kLanes) {
        for (const TileAddend& next : t.next)
            for (int r = 0; next.data && r < MR; ++r)
                __builtin_prefetch(next.data + r * next.row + c);
        float* scores = t.scores + c;
#pragma GCC unroll 16
        for (int r = 0; r < MR; ++r, scores += t.score_row) {
            const F32 p = exp2_of_nonpositive(load(scores) - set1(shifts[r]));
            store(scores, p);
            totals[r] = totals[r] + p;
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r) {
        t.sums[r] = t.sums[r] * t.factors[r] + sum(totals[r]);
        if (t.direct) t.factors[r] = t.sums[r] != 0.0f ? 1.0f / t.sums[r] : 0.0f;
    }
}

// outputs[r] = outputs[r] * factors[r] + p v, or (p v) * factors[r].
struct ValueTileArgs {
    Left p;
    Right values;
    int64_t keys;
    bool accumulate;
    int columns;  // that exist, of NV * kLanes; outputs that accumulate are padded
    float* const* outputs;
    int64_t column;
    const float* factors;
};

template <int MR, int NV>
void value_tile(const ValueTileArgs& t) {
    Tile<MR, NV> tile;
    clear(tile);
    multiply<false>(t.p, t.values, t.keys, tile);
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r) {
        const F32 factor = set1(t.factors[r]);
        float* y = t.outputs[r] + t.column;
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) {
            const int left = t.columns - v * kLanes;
            if (t.accumulate)
                store(y + v * kLanes, fma(load(y + v * kLanes), factor, tile.acc[r][v]));
            else if (left >= kLanes)
                store(y + v * kLanes, tile.acc[r][v] * factor);
            else
                store_n(y + v * kLanes, tile.acc[r][v] * factor, left);
        }
    }
}

// Indexed by rows - 1, vectors - 1.
struct AttentionTiles {
    void (*score[kTileRows][kPanelVectors])(ScoreTileArgs&);
    void (*value[kTileRows][kPanelVectors])(const ValueTileArgs&);
    void (*exponent[kTileRows])(const ExponentTileArgs&);
};

template <int MR, int NV>
constexpr void add_tiles(AttentionTiles& tiles) {
    tiles.score[MR - 1][NV - 1] = score_tiles<MR, NV>;
    tiles.value[MR - 1][NV - 1] = value_tile<MR, NV>;
    tiles.exponent[MR - 1] = exponent_tile<MR>;
    if constexpr (NV < kPanelVectors)
        add_tiles<MR, NV + 1>(tiles);
    else if constexpr (MR < kTileRows)
        add_tiles<MR + 1, 1>(tiles);
}

constexpr AttentionTiles make_attention_tiles() {
    AttentionTiles tiles{};
    add_tiles<1, 1>(tiles);
    return tiles;
}

static constexpr AttentionTiles kTiles = make_attention_tiles();

}  // namespace hades::HADES_ISA
