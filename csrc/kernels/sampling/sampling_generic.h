#pragma once
#include "kernels/sampling/sampling.h"
#include "simd/bits.h"
#include "simd/math.h"
#include "simd/sum.h"

// A row comes from the last-level cache, so a survey reads it once: the largest of a block, then
// its sum of weights from the first level. Weights are relative to the largest of the block, which
// makes the second pass independent of the blocks to come. Sums of blocks are float32 of 1024
// terms.
namespace hades::HADES_ISA {

constexpr float kNoLogit = -__builtin_inff();
constexpr int kParts = kSampleGroups / kLanes;  // vectors that hold one logit of each group

HADES_INLINE F32 logits(F32 x) { return select(is_nan(x), set1(kNoLogit), x); }

// Those past the end count as -inf.
HADES_INLINE F32 last_logits(const float* x, int lanes) {
    const Mask missing = equal(keep_first(set1(1.0f), lanes), zero());
    return select(missing, set1(kNoLogit), load_n(x, lanes));
}

struct Largest {
    F32 groups[kParts];
    Mask has_nan;
};

HADES_INLINE void look_at(Largest* l, int part, F32 x) {
    l->has_nan = l->has_nan | is_nan(x);
    l->groups[part] = max(x, l->groups[part]);  // of NaN and a number, the number
}

HADES_INLINE Largest largest_of_groups(const float* x, int64_t n) {
    Largest l;
    for (F32& group : l.groups) group = set1(kNoLogit);
    l.has_nan = is_nan(zero());
    int64_t i = 0;
    for (; i + kSampleGroups <= n; i += kSampleGroups)
        for (int part = 0; part < kParts; ++part) look_at(&l, part, load(x + i + part * kLanes));
    for (int part = 0; i < n; i += kLanes, ++part)
        look_at(&l, part, last_logits(x + i, lanes_left(i, n)));
    return l;
}

HADES_INLINE float largest_of(const Largest& l) {
    F32 all = l.groups[0];
    for (int part = 1; part < kParts; ++part) all = max(all, l.groups[part]);
    return max_of(all);
}

HADES_INLINE F32 weights_of(F32 x, F32 largest, F32 scale) {
    return exp((logits(x) - largest) * scale);
}

HADES_INLINE float sum_of_weights(const float* x, int64_t n, float largest, float scale) {
    if (!(largest > kNoLogit)) return 0.0f;
    return sum_block(0, n, [&](int64_t i, int lanes) {
        return weights_of(load_n(x + i, lanes), set1(largest), set1(scale));
    });
}

HADES_INLINE int64_t block_end(int64_t begin, int64_t n) {
    return n - begin < kSampleBlock ? n : begin + kSampleBlock;
}

static bool survey(const SurveyArgs& a) {
    Mask has_nan = is_nan(zero());
    for (int64_t begin = 0, block = 0; begin < a.n; begin += kSampleBlock, ++block) {
        const int64_t n = block_end(begin, a.n) - begin;
        const Largest l = largest_of_groups(a.x + begin, n);
        for (int part = 0; part < kParts; ++part)
            store(a.maxima + block * kSampleGroups + part * kLanes, l.groups[part]);
        has_nan = has_nan | l.has_nan;
        if (a.sums) a.sums[block] = sum_of_weights(a.x + begin, n, largest_of(l), a.scale);
    }
    return lane_bits(has_nan) != 0;
}

HADES_INLINE float largest_of_block(const float* maxima) {
    F32 all = load(maxima);
    for (int part = 1; part < kParts; ++part) all = max(all, load(maxima + part * kLanes));
    return max_of(all);
}

HADES_INLINE I32 first_places() {
    int32_t places[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) places[lane] = lane;
    return load(places);
}

struct Range {
    F32 floor, ceiling;
};

HADES_INLINE Mask is_within(const Range& range, F32 x) {
    return less_equal(range.floor, x) & less(x, range.ceiling);
}

// Whole vectors are stored, of which the next one overwrites what is not wanted.
HADES_INLINE int64_t gather_vector(const GatherArgs& a, Mask wanted, F32 x, I32 places,
                                   int64_t count) {
    const uint32_t bits = lane_bits(wanted);
    if (bits == 0) return count;
    store(a.values + count, compress(wanted, x));
    if (a.names) store(a.names + count, compress(wanted, places));
    return count + __builtin_popcount(bits);
}

HADES_INLINE int64_t gather_block(const GatherArgs& a, int64_t begin, int64_t end, int64_t count) {
    const Range range = {set1(a.floor), set1(a.ceiling)};
    const I32 lanes = first_places();
    for (int64_t i = begin; i < end; i += kLanes) {
        const int left = lanes_left(i, end);
        const F32 x = left == kLanes ? load(a.x + i) : last_logits(a.x + i, left);
        I32 places = lanes + set1(static_cast<int32_t>(i));
        if (a.ids) places = load_n(a.ids + i, left);
        Mask wanted = is_within(range, x);
        if (left < kLanes) wanted = wanted & mask_of_bits((1u << left) - 1);
        count = gather_vector(a, wanted, x, places, count);
    }
    return count;
}

static int64_t gather(const GatherArgs& a) {
    int64_t count = 0;
    for (int64_t begin = 0, block = 0; begin < a.n; begin += kSampleBlock, ++block)
        if (largest_of_block(a.maxima + block * kSampleGroups) >= a.floor)
            count = gather_block(a, begin, block_end(begin, a.n), count);
    return count;
}

static void weigh(const WeighArgs& a) {
    for (int64_t i = 0; i < a.n; i += kLanes) {
        const int lanes = lanes_left(i, a.n);
        const F32 x = load_n(a.x + i, lanes);
        store_n(a.weights + i, weights_of(x, set1(a.largest), set1(a.scale)), lanes);
    }
}

static void tally(const TallyArgs& a) {
    for (int j = 0; j < kTallies; ++j) a.above[j] = 0;
    for (int64_t begin = 0, block = 0; begin < a.n; begin += kSampleBlock, ++block) {
        if (largest_of_block(a.maxima + block * kSampleGroups) < a.thresholds[0]) continue;
        F32 sums[kTallies];
        for (F32& sum : sums) sum = zero();
        for (int64_t i = begin, end = block_end(begin, a.n); i < end; i += kLanes) {
            const int left = lanes_left(i, end);
            const F32 x = left == kLanes ? load(a.x + i) : last_logits(a.x + i, left);
            const F32 weights = weights_of(x, set1(a.largest), set1(a.scale));
            for (int j = 0; j < kTallies; ++j)
                sums[j] = sums[j] + without(less(x, set1(a.thresholds[j])), weights);
        }
        for (int j = 0; j < kTallies; ++j) a.above[j] += static_cast<double>(sum(sums[j]));
    }
}

static void admit(const AdmitArgs& a) {
    for (int64_t i = 0; i < a.n; i += kLanes) {
        const int lanes = lanes_left(i, a.n);
        const uint32_t bits = a.words ? a.words[i / 32] >> (i % 32) : ~0u;
        const F32 x = load_n(a.x + i, lanes);
        store_n(a.y + i, select(mask_of_bits(bits), x, set1(kNoLogit)), lanes);
    }
}

SamplingKernel sample_f32() { return {survey, gather, weigh, tally, admit}; }

}  // namespace hades::HADES_ISA
