#pragma once
#include <cmath>

#include "kernels/tile/micro_kernel.h"
#include "simd/math.h"

// The two products of attention as register tiles, with what can be done to the scores on the way.
namespace hades::HADES_ISA {

constexpr float kLog2e = 0x1.715476p+0f;

// 2^x for x <= 0 within 3e-7; exactly 0 below -125, where fully masked scores (-inf) lie, and 1 at
// 0.
HADES_INLINE F32 exp2_of_nonpositive(F32 x) {
    return without(less(x, set1(-125.0f)), exp2_near_zero(x));
}

// One row of a tile: what is added to its scores (at key 0; nullptr: nothing), and the keys it
// sees.
struct ScoreRow {
    const float* addends[2];
    int64_t first_key, end_key;
};

// Scores of `panels` panels of keys, one after the other, in units of log 2: the queries were
// scaled by log2(e), the addends are scaled here. `top` gathers the largest scores of each row, a
// vector per row. The arguments move along.
struct ScoreTileArgs {
    Left q;
    Right keys;
    int64_t d;
    const ScoreRow* rows;
    int64_t key;  // the first of the panel
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
    const int64_t key = t.key, score_row = t.score_row;
    const ScoreRow* rows = t.rows;
    float* scores = t.scores;
    float* tops = t.top;
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r) {
        F32* sums = tile.acc[r];
        for (const float* addend : rows[r].addends) {
            if (!addend) continue;
#pragma GCC unroll 8
            for (int v = 0; v < NV; ++v)
                sums[v] = fma(load(addend + key + v * kLanes), log2e, sums[v]);
        }
        F32 top = load(tops + r * kLanes);
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) {
            top = max(top, sums[v]);
            store(scores + r * score_row + v * kLanes, sums[v]);
        }
        store(tops + r * kLanes, top);
    }
}

template <int MR, int NV>
void score_tiles(ScoreTileArgs& t) {
    constexpr int kWidth = NV * kLanes;
    for (; t.panels > 0; --t.panels) {
        score_tile<MR, NV>(t);
        t.keys.data += kWidth * t.d;
        t.key += kWidth;
        t.scores += kWidth;
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
};

template <int MR, int NV>
constexpr void add_tiles(AttentionTiles& tiles) {
    tiles.score[MR - 1][NV - 1] = score_tiles<MR, NV>;
    tiles.value[MR - 1][NV - 1] = value_tile<MR, NV>;
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
