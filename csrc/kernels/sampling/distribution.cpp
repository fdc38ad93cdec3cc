#include "kernels/sampling/distribution.h"

#include <cfloat>
#include <cmath>

namespace hades {
namespace {

float largest_of(const float* x, int64_t n) {
    float largest = -HUGE_VALF;
    for (int64_t i = 0; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
    return largest;
}

// What weights that are relative to the largest of a block are worth.
double block_scale(const Distribution& d, int64_t block) {
    return std::exp((static_cast<double>(d.at.largest[block]) - static_cast<double>(d.largest)) *
                    static_cast<double>(d.scale));
}

void weigh_blocks(Distribution* d) {
    d->total = 0;
    for (int64_t b = 0; b < d->blocks; ++b) {
        const bool is_empty = d->at.sums[b] <= 0.0f;
        d->at.weights[b] = is_empty ? 0 : static_cast<double>(d->at.sums[b]) * block_scale(*d, b);
        d->total += d->at.weights[b];
    }
}

// The block in which the cumulated weights exceed `target`, which becomes relative to its
// beginning.
int64_t find_block(const Distribution& d, double* target) {
    int64_t last = 0;
    for (int64_t b = 0; b < d.blocks; ++b) {
        const double weight = d.at.weights[b];
        if (weight <= 0) continue;
        if (*target < weight) return b;
        *target -= weight;
        last = b;
    }
    *target = d.at.weights[last];  // rounding has left none: the last weight of the last block
    return last;
}

}  // namespace

Distribution survey_logits(const SamplingKernel& kernel, const float* x, int64_t n,
                           double temperature, const SurveyMemory& memory) {
    Distribution d = {};
    d.x = x;
    d.n = n;
    d.blocks = sample_blocks(n);
    d.temperature = temperature;
    // Below the smallest normal number it would count as zero, of which -inf makes no weight.
    d.scale = temperature > 0 ? std::fmax(static_cast<float>(1 / temperature), FLT_MIN) : 1.0f;
    d.at = memory;
    d.has_nan =
        kernel.survey({x, n, d.scale, memory.maxima, temperature > 0 ? memory.sums : nullptr});
    for (int64_t b = 0; b < d.blocks; ++b)
        memory.largest[b] = largest_of(memory.maxima + b * kSampleGroups, kSampleGroups);
    d.largest = largest_of(memory.largest, d.blocks);
    if (temperature > 0 && std::isfinite(d.largest)) weigh_blocks(&d);
    return d;
}

int64_t first_of_largest(const Distribution& d) {
    for (int64_t b = 0; b < d.blocks; ++b) {
        if (d.at.largest[b] != d.largest) continue;
        for (int64_t i = b * kSampleBlock; i < d.n; ++i)
            if (d.x[i] == d.largest) return i;
    }
    return 0;
}

int64_t draw(const SamplingKernel& kernel, const Distribution& d, double uniform) {
    double target = uniform * d.total;
    const int64_t block = find_block(d, &target);
    const int64_t begin = block * kSampleBlock;
    const int64_t n = d.n - begin < kSampleBlock ? d.n - begin : kSampleBlock;
    float weights[kSampleBlock];
    kernel.weigh({d.x + begin, n, d.at.largest[block], d.scale, weights});
    target /= block_scale(d, block);
    int64_t last = 0;
    double cumulated = 0;
    for (int64_t i = 0; i < n; ++i) {
        if (weights[i] <= 0.0f) continue;
        last = i;
        cumulated += static_cast<double>(weights[i]);
        if (cumulated > target) break;
    }
    return begin + last;
}

float logit_of_share(const Distribution& d, double share) {
    const double logit = static_cast<double>(d.largest) + d.temperature * std::log(share);
    if (!(logit > -FLT_MAX)) return -FLT_MAX;
    const auto nearest = static_cast<float>(logit);
    return static_cast<double>(nearest) < logit ? std::nextafterf(nearest, HUGE_VALF) : nearest;
}

}  // namespace hades
