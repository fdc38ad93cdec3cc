#pragma once
#include "kernels/paged_attention/score_tile_generic.h"

// One token: keys and values are widened in registers on their way to the heads that share them,
// and read once where the heads fit the registers.
//
// Per partition: scores of a tile of heads, then exponentials, then values (a lane is a dimension).
namespace hades::HADES_ISA {

static constexpr int kHeads = kLanes == 16 ? 8 : 4;  // whose accumulators fit the registers
static constexpr int kWide = kLanes == 1 ? 4 : 2;    // vectors of dimensions at a time

template <class Cache>
HADES_INLINE const typename Cache::Stored* values_of(const PagedAttentionArgs& args, int64_t b) {
    const uint8_t* values = block_at(args, b) + args.block.part_bytes();
    return reinterpret_cast<const typename Cache::Stored*>(values);
}

template <class Cache, int R>
static void score_heads(const PagedAttentionArgs& args, const float* q, Seen here, float* scores) {
    const int64_t d = args.block.head_dim;
    float factors[kStepBlocks * kBlockTokens];
    for (int64_t b = first_block(here); b < end_block(here); b += kStepBlocks) {
        const typename Cache::Stored* keys[kStepBlocks];
        const int64_t left = end_block(here) - b;
        for (int64_t i = 0; i < kStepBlocks && i < left; ++i) {
            const uint8_t* block = block_at(args, b + i);
            keys[i] = reinterpret_cast<const typename Cache::Stored*>(block);
            key_factors(args, block, factors + i * kBlockTokens);
        }
        const Ahead ahead = ahead_of(args, here, b);
        float* to = scores + b * kBlockTokens;
        if (left >= kStepBlocks)
            score_tile<Cache, R, kStepBlocks>(q, keys, d, factors, ahead, to);
        else
            score_tile<Cache, R, 1>(q, keys, d, factors, ahead, to);
    }
}

// Adds sum over positions of weight[head][position] * value[position] to o[head], for W vectors of
// dimensions from i on.
template <class Cache, int R, int W>
static void add_columns(const PagedAttentionArgs& args, int64_t start, Seen here,
                        const float* weights, const Shares* shares, float* o, int64_t i) {
    const int64_t d = args.block.head_dim;
    F32 sums[R][W];
    for (int r = 0; r < R; ++r)
        for (int w = 0; w < W; ++w) sums[r][w] = zero();
    for (int64_t b = first_block(here); b < end_block(here); ++b) {
        const Seen piece = both(here, block_positions(b));
        const auto* stored = values_of<Cache>(args, b) + piece.first % kBlockTokens * d + i;
        const auto* next = values_of<Cache>(args, b + 1 < end_block(here) ? b + 1 : b) + i;
        const float* weight = weights + piece.first - start;
        for (int64_t p = piece.first; p <= piece.last; ++p, ++weight, stored += d, next += d) {
            __builtin_prefetch(next);  // into the first cache: the scores had it brought near
            F32 value[W];
            for (int w = 0; w < W; ++w) value[w] = Cache::load(stored + w * kLanes);
            for (int r = 0; r < R; ++r) {
                const F32 by = set1(weight[r * kScoreRow]);
                for (int w = 0; w < W; ++w) sums[r][w] = fma(by, value[w], sums[r][w]);
            }
        }
    }
    for (int r = 0; r < R; ++r)
        for (int w = 0; w < W; ++w) merge(o + r * d + i + w * kLanes, sums[r][w], shares[r]);
}

template <class Cache, int R>
static void add_values(const PagedAttentionArgs& args, int64_t start, Seen here,
                       const float* weights, const Shares* shares, float* o) {
    int64_t i = 0;
    for (; i + kWide * kLanes <= args.block.head_dim; i += kWide * kLanes)
        add_columns<Cache, R, kWide>(args, start, here, weights, shares, o, i);
    for (; i < args.block.head_dim; i += kLanes)
        add_columns<Cache, R, 1>(args, start, here, weights, shares, o, i);
}

template <class Cache, int R>
static void attend_heads(const PagedAttentionArgs& args, int64_t head) {
    const int64_t d = args.block.head_dim;
    const Seen seen = seen_by(args, 0);
    float *scores = args.scratch, *o = scores + R * kScoreRow, *q = o + R * d;
    const float* rows[R];
    Progress progress[R];
    Shares shares[R];
    for (int r = 0; r < R; ++r) {
        progress[r] = at_sink(args, head + r);
        rows[r] = args.q + (head + r) * d;
    }
    pack_queries(rows, R, d, q);
    fill(o, 0, R * d, 0.0f);
    for (int64_t start = seen.first / kPartition * kPartition; start <= seen.last;
         start += kPartition) {
        const Seen here = within(seen, start);
        score_heads<Cache, R>(args, q, here, scores - start);
        for (int r = 0; r < R; ++r) {
            shares[r] = weigh(scores + r * kScoreRow, start, here, &progress[r]);
            if (args.block.is_int8) scale_weights(args, start, here, scores + r * kScoreRow);
        }
        add_values<Cache, R>(args, start, here, scores, shares, o);
    }
    for (int r = 0; r < R; ++r) finish(o + r * d, d, progress[r].total, args.o + (head + r) * d);
}

template <class Cache, int R = kHeads>
static void attend_one(const PagedAttentionArgs& args, int64_t head = 0) {
    if constexpr (R > 1) {
        if (args.heads - head < R) return attend_one<Cache, R / 2>(args, head);
    }
    attend_heads<Cache, R>(args, head);
    if (head + R < args.heads) attend_one<Cache, R>(args, head + R);
}

}  // namespace hades::HADES_ISA
