#pragma once
#include "kernels/sampling/narrow.h"

// One token from one row of logits. In this order: bias and mask, penalties, temperature, top-k,
// top-p, min-p, draw. Log-probabilities are those of the logits as they came.
namespace hades {

enum SampleStatus : int32_t { kSampled = 0, kNotFinite = 1, kNothingAllowed = 2 };

// A token whose logit is changed.
struct AdjustedToken {
    int32_t token;
    int32_t times;      // in the answer so far
    int32_t in_prompt;  // 0 or 1
};

struct SampleSettings {
    double temperature, top_p, min_p, repetition, presence, frequency;
};

struct RowMemory {
    float* logits;  // [n], if any row is changed
    NarrowMemory narrow;
};

struct SampleRow {
    const float* logits;  // [n]
    int64_t n;
    SampleSettings settings;
    int64_t top_k;  // 0: all
    double uniform;
    const AdjustedToken* adjusted;  // [adjusted_count], each token once
    const float* biases;            // of these
    int64_t adjusted_count;
    const uint32_t* mask;  // absent: everything is allowed
    bool wants_logprob;
    int64_t likeliest;  // how many are wanted with their log-probabilities, at most n
};

struct SampledRow {
    int32_t token, status;
    float logprob;
    int32_t* top_tokens;  // [likeliest], the likeliest first
    float* top_logprobs;  // [likeliest]
};

void sample_row(const SamplingKernel& kernel, const SampleRow& row, const RowMemory& memory,
                SampledRow* sampled);

}  // namespace hades
