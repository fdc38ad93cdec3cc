#pragma once
#include "kernels/sampling/sampling.h"

// The softmax of a list of logits: what a survey tells of it, and what may be asked then.
namespace hades {

constexpr int64_t sample_blocks(int64_t n) { return (n + kSampleBlock - 1) / kSampleBlock; }

// Memory for what a survey of n logits finds.
struct SurveyMemory {
    float* maxima;    // [blocks, kSampleGroups]
    float* largest;   // [blocks]
    float* sums;      // [blocks]
    double* weights;  // [blocks]
};

struct Distribution {
    const float* x;  // [n]
    int64_t n, blocks;
    double temperature;  // 0: weights are not known
    float scale;         // 1 / temperature
    float largest;       // logit; weights are relative to it
    bool has_nan;
    double total;  // of the weights
    SurveyMemory at;
};

Distribution survey_logits(const SamplingKernel& kernel, const float* x, int64_t n,
                           double temperature, const SurveyMemory& memory);

// The first place of the largest logit, 0 if there is none.
int64_t first_of_largest(const Distribution& d);

// The first place up to which the weights exceed `uniform` times their total.
int64_t draw(const SamplingKernel& kernel, const Distribution& d, double uniform);

// The logit that has this share of the largest one's weight, or the next above.
float logit_of_share(const Distribution& d, double share);

}  // namespace hades
