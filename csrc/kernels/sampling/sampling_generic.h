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
HADES_INLINE F32 logits(F32 x) { return select(is_nan(x), set1(kNoLogit), x); }

// Those past the end count as -inf.
HADES_INLINE F32 last_logits(const float* x, int lanes) {
    const Mask missing = equal(keep_first(set1(1.0f), lanes), zero());
    return select(missing, set1(kNoLogit), load_n(x, lanes));
}

// Logits from i on, of those before the end.
HADES_INLINE F32 logits_at(const float* x, int64_t i, int64_t end) {
    const int left = lanes_left(i, end);
    return left == kLanes ? load(x + i) : last_logits(x + i, left);
}

HADES_INLINE int64_t end_of(int64_t begin, int64_t length, int64_t n) {
    return n - begin < length ? n : begin + length;
}

HADES_INLINE float largest_of_group(const float* x, int64_t begin, int64_t n, Mask* has_nan) {
    F32 largest = set1(kNoLogit);
    const auto look_at = [&](F32 logits) {
        *has_nan = *has_nan | is_nan(logits);
        largest = max(logits, largest);  // of NaN and a number, the number
    };
    if (n - begin >= kSampleGroup)
        for (int64_t i = 0; i < kSampleGroup; i += kLanes) look_at(load(x + begin + i));
    else
        for (int64_t i = begin; i < n; i += kLanes) look_at(logits_at(x, i, n));
    return max_of(largest);
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

static bool survey(const SurveyArgs& a) {
    Mask has_nan = is_nan(zero());
    float* maxima = a.maxima;
    float* sums = a.sums;
    for (int64_t begin = 0; begin < a.n; begin += kSampleBlock, maxima += kSampleGroups) {
        float largest = kNoLogit;
        for (int64_t group = 0; group < kSampleGroups; ++group) {
            maxima[group] = largest_of_group(a.x, begin + group * kSampleGroup, a.n, &has_nan);
            largest = maxima[group] > largest ? maxima[group] : largest;
        }
        const int64_t n = end_of(begin, kSampleBlock, a.n) - begin;
        if (sums) *sums++ = sum_of_weights(a.x + begin, n, largest, a.scale);
    }
    return lane_bits(has_nan) != 0;
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

// Whole vectors are stored, of which the next one overwrites what is not wanted. Whether any is
// wanted is not asked: it would be guessed wrong too often.
HADES_INLINE int64_t gather_vector(const GatherArgs& a, Mask wanted, F32 x, I32 places,
                                   int64_t count) {
    store(a.values + count, compress(wanted, x));
    if (a.names) store(a.names + count, compress(wanted, places));
    return count + __builtin_popcount(lane_bits(wanted));
}

HADES_INLINE int64_t gather_group(const GatherArgs& a, int64_t begin, int64_t end, int64_t count) {
    const Range range = {set1(a.floor), set1(a.ceiling)};
    const I32 lanes = first_places();
    for (int64_t i = begin; i < end; i += kLanes) {
        const int left = lanes_left(i, end);
        I32 places = lanes + set1(static_cast<int32_t>(i));
        if (a.ids) places = load_n(a.ids + i, left);
        const F32 x = logits_at(a.x, i, end);
        Mask wanted = is_within(range, x);
        if (left < kLanes) wanted = wanted & mask_of_bits((1u << left) - 1);
        count = gather_vector(a, wanted, x, places, count);
    }
    return count;
}

static int64_t gather(const GatherArgs& a) {
    int64_t count = 0;
    const float* largest = a.maxima;
    for (int64_t begin = 0; begin < a.n; begin += kSampleGroup)
        if (*largest++ >= a.floor)
            count = gather_group(a, begin, end_of(begin, kSampleGroup, a.n), count);
    return count;
}

static void weigh(const WeighArgs& a) {
    for (int64_t i = 0; i < a.n; i += kLanes) {
        const int lanes = lanes_left(i, a.n);
        const F32 x = load_n(a.x + i, lanes);
        store_n(a.weights + i, weights_of(x, set1(a.largest), set1(a.scale)), lanes);
    }
}

HADES_INLINE float largest_of_block(const float* maxima) {
    float largest = maxima[0];
    for (int group = 1; group < kSampleGroups; ++group)
        largest = maxima[group] > largest ? maxima[group] : largest;
    return largest;
}

// Whole blocks: the sums stay in registers.
static void tally(const TallyArgs& a) {
    for (int j = 0; j < kTallies; ++j) a.above[j] = 0;
    const float* maxima = a.maxima;
    for (int64_t begin = 0; begin < a.n; begin += kSampleBlock, maxima += kSampleGroups) {
        if (largest_of_block(maxima) < a.thresholds[0]) continue;
        F32 sums[kTallies];
        for (F32& sum : sums) sum = zero();
        for (int64_t i = begin, end = end_of(begin, kSampleBlock, a.n); i < end; i += kLanes) {
            const F32 x = logits_at(a.x, i, end);
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
