#pragma once
#include "kernels/paged_attention/paged_attention.h"
#include "simd/exp2.h"
#include "simd/narrow.h"

//     o = (sum_j exp(s_j - m) v_j) / (exp(sink - m) + sum_j exp(s_j - m)),   s_j = scale q.k_j
//
// Scores and sinks are taken times log2(e), so that exponentials are powers of two.
// A row is a query head of a token. What a partition adds to it, whoever its scores were computed
// with: the scores become weights relative to their largest, weighted values are added position by
// position from zero, and the sum joins what came before. A sink is where the merge begins: a
// maximum of sink and a sum of 1, with no value.
namespace hades::HADES_ISA {

static constexpr int kBlockVectors = static_cast<int>(kBlockTokens) / kLanes;

struct Bf16Cache {
    using Stored = uint16_t;
    HADES_INLINE F32 load(const Stored* p) { return load_bf16(p); }
};

struct Int8Cache {
    using Stored = int8_t;
    HADES_INLINE F32 load(const Stored* p) { return load_i8(p); }
};

// Positions, both included; none if last is before first.
struct Seen {
    int64_t first, last;
};

HADES_INLINE int64_t first_block(Seen seen) { return seen.first / kBlockTokens; }
HADES_INLINE int64_t end_block(Seen seen) { return seen.last / kBlockTokens + 1; }
HADES_INLINE bool is_empty(Seen seen) { return seen.last < seen.first; }

HADES_INLINE Seen seen_by(const PagedAttentionArgs& args, int64_t token) {
    const int64_t last = args.position + token;
    const int64_t outside = args.window > 0 ? last + 1 - args.window : 0;
    return {outside > 0 ? outside : 0, last};
}

HADES_INLINE Seen both(Seen a, Seen b) {
    return {a.first > b.first ? a.first : b.first, a.last < b.last ? a.last : b.last};
}

// What lies in the partition that begins at `start`.
HADES_INLINE Seen within(Seen seen, int64_t start) {
    return both(seen, {start, start + kPartition - 1});
}

HADES_INLINE Seen block_positions(int64_t b) {
    return {b * kBlockTokens, (b + 1) * kBlockTokens - 1};
}

HADES_INLINE const uint8_t* block_at(const PagedAttentionArgs& args, int64_t index) {
    return args.pool + args.blocks[index] * args.block_bytes;
}

// What a row has come to so far.
struct Progress {
    float peak, total;
};

HADES_INLINE Progress at_sink(const PagedAttentionArgs& args, int64_t head) {
    if (args.sinks) return {args.sinks[head] * static_cast<float>(kLog2E), 1.0f};
    return {-__builtin_inff(), 0.0f};
}

// Factors of what came before, and of what a partition adds.
struct Shares {
    float keep, join;
};

HADES_INLINE void fill(float* x, int64_t begin, int64_t end, float value) {
    for (int64_t i = begin; i < end; ++i) x[i] = value;
}

// Vectors whose exponentials are computed side by side.
static constexpr int kTogether = kLanes == 16 ? 8 : 4;

template <int n>
HADES_INLINE F32 exponentiate(float* scores, float peak, F32 sums) {
    F32 weights[n];
    for (int i = 0; i < n; ++i) weights[i] = load(scores + i * kLanes) - set1(peak);
    exp2_of_negative(weights);
    for (int i = 0; i < n; ++i) {
        store(scores + i * kLanes, weights[i]);
        sums = sums + weights[i];
    }
    return sums;
}

// In two chains, since one is a chain of latencies.
static float largest_of(const float* scores, int64_t count) {
    F32 even = set1(-__builtin_inff()), odd = even;
    int64_t i = 0;
    for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
        even = max(even, load(scores + i));
        odd = max(odd, load(scores + i + kLanes));
    }
    if (i < count) even = max(even, load(scores + i));
    return max_of(max(even, odd));
}

// Scores to weights relative to their largest; returns the largest, and the sum of the weights.
static float exponentiate(float* scores, int64_t count, float* total) {
    const float peak = largest_of(scores, count);
    F32 sums = zero();
    int64_t i = 0;
    for (; i + kTogether * kLanes <= count; i += kTogether * kLanes)
        sums = exponentiate<kTogether>(scores + i, peak, sums);
    for (; i < count; i += kLanes) sums = exponentiate<1>(scores + i, peak, sums);
    *total = sum(sums);
    return peak;
}

// Turns the scores of one row in the partition at `start` into weights. What the row's blocks hold
// beside what it sees weighs nothing.
static Shares weigh(float* scores, int64_t start, Seen here, Progress* progress) {
    const int64_t begin = first_block(here) * kBlockTokens - start;
    const int64_t end = end_block(here) * kBlockTokens - start;
    fill(scores, begin, here.first - start, -__builtin_inff());
    fill(scores, here.last + 1 - start, end, -__builtin_inff());
    float added;
    const float peak = exponentiate(scores + begin, end - begin, &added);
    const float highest = peak > progress->peak ? peak : progress->peak;
    const float keep = __builtin_exp2f(progress->peak - highest);
    const float join = __builtin_exp2f(peak - highest);
    *progress = {highest, progress->total * keep + added * join};
    return {keep, join};
}

// The scales of int8 values belong to tokens, so the weights take them.
static void scale_weights(const PagedAttentionArgs& args, int64_t start, Seen here,
                          float* weights) {
    const int64_t scales = args.block.part_bytes() + kBlockTokens * args.block.head_dim;
    for (int64_t b = first_block(here); b < end_block(here); ++b) {
        const auto* scale = reinterpret_cast<const float*>(block_at(args, b) + scales);
        float* weight = weights + b * kBlockTokens - start;
        for (int v = 0; v < kBlockVectors; ++v)
            store(weight + v * kLanes, load(weight + v * kLanes) * load(scale + v * kLanes));
    }
}

HADES_INLINE void merge(float* o, F32 added, Shares shares) {
    store(o, load(o) * set1(shares.keep) + added * set1(shares.join));
}

HADES_INLINE void finish(const float* sums, int64_t d, float total, float* o) {
    for (int64_t i = 0; i < d; i += kLanes) store(o + i, load(sums + i) / set1(total));
}

}  // namespace hades::HADES_ISA
