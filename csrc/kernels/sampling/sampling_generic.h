#pragma once
#include "base/rounding.h"
#include "kernels/sampling/sampling.h"
#include "simd/math.h"
#include "simd/sum.h"

// Three passes over what the last-level cache holds: the largest logit; the sum of weights
// exp((x - largest) / temperature) of each block; and the weights of one block once more, up to the
// one in which the cumulated sum exceeds uniform * total. Sums of blocks are float32 of 1024 terms,
// everything that is cumulated is float64.
namespace hades::HADES_ISA {

constexpr float kNoLogit = -__builtin_inff();

HADES_INLINE F32 logits_at(const SampleArgs& a, int64_t i) {
    const int lanes = lanes_left(i, a.n);
    const F32 x = load_n(a.logits + i, lanes);
    return select(is_nan(x), set1(kNoLogit), x);
}

static float largest_logit(const SampleArgs& a) {
    F32 largest = set1(kNoLogit);
    int64_t i = 0;
    for (; i + kLanes <= a.n; i += kLanes) largest = max(largest, logits_at(a, i));
    float rest = max_of(largest);
    for (; i < a.n; ++i) rest = a.logits[i] > rest ? a.logits[i] : rest;
    return rest;
}

static int64_t first_of(const SampleArgs& a, float value) {
    for (int64_t i = 0; i < a.n; ++i)
        if (a.logits[i] == value) return i;
    return 0;
}

HADES_INLINE F32 weights_at(const SampleArgs& a, int64_t i, float largest) {
    return exp((logits_at(a, i) - set1(largest)) * set1(1.0f / a.temperature));
}

// The block in which the cumulated sums exceed `target`, which becomes relative to its beginning.
static int64_t find_block(const SampleArgs& a, int64_t blocks, double* target) {
    int64_t last = 0;
    for (int64_t b = 0; b < blocks; ++b) {
        if (a.sums[b] <= 0.0f) continue;
        if (*target < a.sums[b]) return b;
        *target -= a.sums[b];
        last = b;
    }
    *target = a.sums[last];  // rounding has left none: the last weight of the last block
    return last;
}

static int64_t find_in_block(const SampleArgs& a, int64_t begin, int64_t end, float largest,
                             double target) {
    int64_t last = begin;
    double cumulated = 0;
    for (int64_t i = begin; i < end; i += kLanes) {
        float weights[kLanes];
        store(weights, weights_at(a, i, largest));
        for (int64_t lane = 0; lane < lanes_left(i, end); ++lane) {
            if (weights[lane] <= 0.0f) continue;
            last = i + lane;
            cumulated += weights[lane];
            if (cumulated > target) return last;
        }
    }
    return last;
}

int64_t sample_f32(const SampleArgs& a) {
    const float largest = largest_logit(a);
    if (a.temperature <= 0.0f || !(largest > kNoLogit) || largest == -kNoLogit)
        return first_of(a, largest);
    const int64_t blocks = ceil_div(a.n, kSampleBlock);
    double total = 0;
    for (int64_t b = 0; b < blocks; ++b) {
        const int64_t begin = b * kSampleBlock;
        const int64_t end = begin + kSampleBlock < a.n ? begin + kSampleBlock : a.n;
        a.sums[b] =
            sum_block(begin, end, [&](int64_t i, int) { return weights_at(a, i, largest); });
        total += a.sums[b];
    }
    double target = a.uniform * total;
    const int64_t block = find_block(a, blocks, &target);
    const int64_t begin = block * kSampleBlock;
    const int64_t end = begin + kSampleBlock < a.n ? begin + kSampleBlock : a.n;
    return find_in_block(a, begin, end, largest, target);
}

}  // namespace hades::HADES_ISA
