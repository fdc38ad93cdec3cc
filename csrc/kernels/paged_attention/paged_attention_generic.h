#pragma once
#include "kernels/paged_attention/paged_attention.h"
#include "simd/math.h"
#include "simd/narrow.h"

//     o = (sum_j exp(s_j - m) v_j) / (exp(sink - m) + sum_j exp(s_j - m)),   s_j = scale q.k_j
//
// Per partition: scores of a tile of heads by 16 tokens at a time (a lane is a token: every key is
// loaded and widened once for all heads), then exponentials, then values (a lane is a dimension).
// Partitions are merged in order, each with its own maximum. A sink is where the merge begins: a
// maximum of sink and a sum of 1, with no value.
namespace hades::HADES_ISA {

static constexpr int kRows = kLanes == 16 ? 8 : 4;  // heads whose accumulators fit the registers
static constexpr int kVectors = static_cast<int>(kBlockTokens) / kLanes;
// Vectors of dimensions at a time. With 16 lanes, one: weights are then operands of the products
// instead of being broadcast through a port that the products need.
static constexpr int kWide = kLanes == 1 ? 4 : kLanes == 16 ? 1 : 2;

struct Bf16Cache {
    using Stored = uint16_t;
    HADES_INLINE F32 load(const Stored* p) { return load_bf16(p); }
};

struct Int8Cache {
    using Stored = int8_t;
    HADES_INLINE F32 load(const Stored* p) { return load_i8(p); }
};

struct Partition {
    int64_t begin, end;   // blocks
    int64_t first, last;  // positions that are seen
};

HADES_INLINE const uint8_t* block_at(const PagedAttentionArgs& args, int64_t index) {
    return args.pool + args.blocks[index] * args.block_bytes;
}

// scores[row][token] = scale * q[row] . key[token] for one block, -inf outside [first, last].
// Meanwhile fetches keys and values of the next block, a line at a time: all at once, they would
// take every buffer for misses, and the loads of this block would wait behind them.
template <class Cache, int R>
static void score_block(const PagedAttentionArgs& args, const float* q, const uint8_t* keys,
                        const uint8_t* next, int64_t position, const Partition& p, float* scores) {
    const int64_t d = args.block.head_dim, next_bytes = 2 * args.block.part_bytes();
    const auto* stored = reinterpret_cast<const typename Cache::Stored*>(keys);
    F32 sums[R][kVectors];
    for (int r = 0; r < R; ++r)
        for (int v = 0; v < kVectors; ++v) sums[r][v] = zero();
    for (int64_t i = 0; i < d; ++i, stored += kBlockTokens) {
        if (i * 64 < next_bytes) __builtin_prefetch(next + i * 64);
        for (int v = 0; v < kVectors; ++v) {
            const F32 key = Cache::load(stored + v * kLanes);
            for (int r = 0; r < R; ++r) sums[r][v] = fma(set1(q[r * d + i]), key, sums[r][v]);
        }
    }
    const auto* key_scales = reinterpret_cast<const float*>(keys + kBlockTokens * d);
    for (int v = 0; v < kVectors; ++v) {
        F32 scale = set1(args.scale);
        if (args.block.is_int8) scale = scale * load(key_scales + v * kLanes);
        for (int r = 0; r < R; ++r) store(scores + r * kPartition + v * kLanes, sums[r][v] * scale);
    }
    if (position >= p.first && position + kBlockTokens - 1 <= p.last) return;
    for (int64_t t = 0; t < kBlockTokens; ++t)
        if (position + t < p.first || position + t > p.last)
            for (int r = 0; r < R; ++r) scores[r * kPartition + t] = -__builtin_inff();
}

// Scores to weights relative to their largest; returns the largest, and the sum of the weights.
static float exponentiate(float* scores, int64_t count, float* total) {
    F32 largest = set1(-__builtin_inff());
    for (int64_t i = 0; i < count; i += kLanes) largest = max(largest, load(scores + i));
    const float peak = max_of(largest);
    F32 sums = zero();
    for (int64_t i = 0; i < count; i += kLanes) {
        const F32 weight = exp(load(scores + i) - set1(peak));
        store(scores + i, weight);
        sums = sums + weight;
    }
    *total = sum(sums);
    return peak;
}

// o[row] = o[row] * keep[row] + join[row] * sum over tokens of weight[row][token] * value[token],
// for W vectors of dimensions from i on.
template <class Cache, int R, int W>
static void add_columns(const PagedAttentionArgs& args, const Partition& p, const float* weights,
                        const float* keep, const float* join, float* o, int64_t i) {
    const int64_t d = args.block.head_dim, part = args.block.part_bytes();
    F32 sums[R][W];
    for (int r = 0; r < R; ++r)
        for (int w = 0; w < W; ++w) sums[r][w] = zero();
    for (int64_t b = p.begin; b < p.end; ++b) {
        const uint8_t* values = block_at(args, b) + part;
        const auto* stored = reinterpret_cast<const typename Cache::Stored*>(values) + i;
        const float* weight = weights + (b - p.begin) * kBlockTokens;
        for (int64_t t = 0; t < kBlockTokens; ++t, stored += d) {
            F32 value[W];
            for (int w = 0; w < W; ++w) value[w] = Cache::load(stored + w * kLanes);
            for (int r = 0; r < R; ++r) {
                const F32 by = set1(weight[r * kPartition + t]);
                for (int w = 0; w < W; ++w) sums[r][w] = fma(by, value[w], sums[r][w]);
            }
        }
    }
    for (int r = 0; r < R; ++r)
        for (int w = 0; w < W; ++w) {
            float* out = o + r * d + i + w * kLanes;
            store(out, load(out) * set1(keep[r]) + sums[r][w] * set1(join[r]));
        }
}

template <class Cache, int R>
static void add_values(const PagedAttentionArgs& args, const Partition& p, const float* weights,
                       const float* keep, const float* join, float* o) {
    int64_t i = 0;
    for (; i + kWide * kLanes <= args.block.head_dim; i += kWide * kLanes)
        add_columns<Cache, R, kWide>(args, p, weights, keep, join, o, i);
    for (; i < args.block.head_dim; i += kLanes)
        add_columns<Cache, R, 1>(args, p, weights, keep, join, o, i);
}

// The scales of int8 values belong to tokens, so the weights take them.
static void scale_weights(const PagedAttentionArgs& args, const Partition& p, int rows,
                          float* weights) {
    const int64_t scales = args.block.part_bytes() + kBlockTokens * args.block.head_dim;
    for (int64_t b = p.begin; b < p.end; ++b) {
        const auto* scale = reinterpret_cast<const float*>(block_at(args, b) + scales);
        for (int r = 0; r < rows; ++r) {
            float* weight = weights + r * kPartition + (b - p.begin) * kBlockTokens;
            for (int v = 0; v < kVectors; ++v)
                store(weight + v * kLanes, load(weight + v * kLanes) * load(scale + v * kLanes));
        }
    }
}

template <class Cache, int R>
static void attend_rows(const PagedAttentionArgs& args, int64_t row) {
    const int64_t d = args.block.head_dim;
    const float* q = args.q + row * d;
    float *scores = args.scratch, *o = args.scratch + R * kPartition;
    float peak[R], total[R], keep[R], join[R];
    for (int r = 0; r < R; ++r) {
        peak[r] = args.sinks ? args.sinks[row + r] : -__builtin_inff();
        total[r] = args.sinks ? 1.0f : 0.0f;
        for (int64_t i = 0; i < d; ++i) o[r * d + i] = 0.0f;
    }
    for (int64_t start = args.first / kPartition * kPartition; start <= args.last;
         start += kPartition) {
        Partition p = {0, 0, args.first, args.last};
        const int64_t first = start > args.first ? start : args.first;
        const int64_t end = start + kPartition <= args.last ? start + kPartition : args.last + 1;
        p.begin = first / kBlockTokens;
        p.end = (end + kBlockTokens - 1) / kBlockTokens;
        for (int64_t b = p.begin; b < p.end; ++b) {
            const uint8_t* keys = block_at(args, b);
            const uint8_t* next = b + 1 < p.end ? block_at(args, b + 1) : keys;
            score_block<Cache, R>(args, q, keys, next, b * kBlockTokens, p,
                                  scores + (b - p.begin) * kBlockTokens);
        }
        for (int r = 0; r < R; ++r) {
            float sum_here;
            const float here =
                exponentiate(scores + r * kPartition, (p.end - p.begin) * kBlockTokens, &sum_here);
            const float both = here > peak[r] ? here : peak[r];
            keep[r] = __builtin_expf(peak[r] - both);
            join[r] = __builtin_expf(here - both);
            total[r] = total[r] * keep[r] + sum_here * join[r];
            peak[r] = both;
        }
        if (args.block.is_int8) scale_weights(args, p, R, scores);
        add_values<Cache, R>(args, p, scores, keep, join, o);
    }
    for (int r = 0; r < R; ++r)
        for (int64_t i = 0; i < d; i += kLanes)
            store(args.o + (row + r) * d + i, load(o + r * d + i) / set1(total[r]));
}

template <class Cache, int R = kRows>
static void attend_tail(const PagedAttentionArgs& args, int64_t row) {
    if constexpr (R > 1) {
        if (args.heads - row < R) return attend_tail<Cache, R / 2>(args, row);
    }
    attend_rows<Cache, R>(args, row);
    if (row + R < args.heads) attend_tail<Cache, R>(args, row + R);
}

void paged_attention_bf16(const PagedAttentionArgs& args) { attend_tail<Bf16Cache>(args, 0); }
void paged_attention_int8(const PagedAttentionArgs& args) { attend_tail<Int8Cache>(args, 0); }

}  // namespace hades::HADES_ISA
