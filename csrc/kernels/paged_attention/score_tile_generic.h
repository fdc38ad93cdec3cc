#pragma once
#include "kernels/paged_attention/partition_generic.h"
#include "simd/transpose.h"

// Scores of a tile of rows by a step of one or two blocks: a lane is a position, and accumulators
// fill the registers but for the operands of one round.
namespace hades::HADES_ISA {

static constexpr int kStepBlocks = kLanes == 16 ? 2 : 1;
static_assert(kStepBlocks <= kMostStepBlocks);

// Queries [d][rows], in the order in which the scores take them. A vector is stored whole: what it
// holds beside the rows is overwritten by what comes next, and goes up to kLanes floats beyond.
static void pack_queries(const float* const* q, int rows, int64_t d, float* packed) {
    for (int row = 0; row < rows; row += kLanes) {
        for (int64_t i = 0; i < d; i += kLanes) {
            F32 square[kLanes];
            for (int r = 0; r < kLanes; ++r)
                square[r] = row + r < rows ? load(q[row + r] + i) : zero();
            transpose(square);
            for (int k = 0; k < kLanes; ++k) store(packed + (i + k) * rows + row, square[k]);
        }
    }
}

// What the scores of a block are multiplied by, position by position.
HADES_INLINE void key_factors(const PagedAttentionArgs& args, const uint8_t* keys, float* factors) {
    const auto* scales = reinterpret_cast<const float*>(keys + kBlockTokens * args.block.head_dim);
    for (int v = 0; v < kBlockVectors; ++v) {
        F32 factor = set1(args.scale);
        if (args.block.is_int8) factor = factor * load(scales + v * kLanes);
        store(factors + v * kLanes, factor);
    }
}

// Blocks whose keys and values come next: fetched while a step is computed, a line of each at a
// time. All at once, they would take every buffer for misses, and the loads of this step would wait
// behind them.
struct Ahead {
    const uint8_t* blocks[kStepBlocks];
    int64_t bytes;
};

// Of the step behind that at block b, or once more of the last one.
HADES_INLINE Ahead ahead_of(const PagedAttentionArgs& args, Seen here, int64_t b) {
    Ahead ahead = {{}, 2 * args.block.part_bytes()};
    const int64_t last = end_block(here) - 1;
    for (int i = 0; i < kStepBlocks; ++i) {
        const int64_t next = b + kStepBlocks + i;
        ahead.blocks[i] = block_at(args, next < last ? next : last);
    }
    return ahead;
}

// scores[row][position] = factor[position] * q[row] . key[position] for B blocks.
template <class Cache, int R, int B>
static void score_tile(const float* q, const typename Cache::Stored* const* keys, int64_t d,
                       const float* factors, const Ahead& ahead, float* scores) {
    F32 sums[R][B][kBlockVectors];
    for (int r = 0; r < R; ++r)
        for (int b = 0; b < B; ++b)
            for (int v = 0; v < kBlockVectors; ++v) sums[r][b][v] = zero();
    for (int64_t i = 0; i < d; ++i, q += R) {
        if (i * 64 < ahead.bytes)
            for (int b = 0; b < kStepBlocks; ++b) __builtin_prefetch(ahead.blocks[b] + i * 64);
        F32 key[B][kBlockVectors];
        for (int b = 0; b < B; ++b)
            for (int v = 0; v < kBlockVectors; ++v)
                key[b][v] = Cache::load(keys[b] + i * kBlockTokens + v * kLanes);
        for (int r = 0; r < R; ++r) {
            const F32 by = set1(q[r]);
            for (int b = 0; b < B; ++b)
                for (int v = 0; v < kBlockVectors; ++v)
                    sums[r][b][v] = fma(by, key[b][v], sums[r][b][v]);
        }
    }
    for (int b = 0; b < B; ++b)
        for (int v = 0; v < kBlockVectors; ++v) {
            const int64_t column = b * kBlockTokens + v * kLanes;
            const F32 factor = load(factors + column);
            for (int r = 0; r < R; ++r)
                store(scores + r * kScoreRow + column, sums[r][b][v] * factor);
        }
}

}  // namespace hades::HADES_ISA
