#pragma once
#include <cstdint>

// A token from logits, each with the probability that the softmax gives it, without sorting.
namespace hades {

// Logits whose weights are added up together before the block of the sampled one is known.
constexpr int64_t kSampleBlock = 1024;

struct SampleArgs {
    const float* logits;  // [n]; NaN counts as -inf
    int64_t n;
    float temperature;  // 0: the largest logit, of equals the first
    double uniform;     // in [0, 1): where in the cumulated weights the token lies
    float* sums;        // scratch, [n / kSampleBlock, rounded up]
};

using Sample = int64_t(const SampleArgs&);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/sampling/sampling.inc"
#undef HADES_KERNEL

}  // namespace hades
