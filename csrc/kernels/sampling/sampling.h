#pragma once
#include <cstdint>

// Passes over a row of logits. What is made of them (which tokens may be drawn, and which one is)
// is told in row.h and is the same for all tiers.
namespace hades {

// A block is what is looked at at once; it falls into groups of neighbours. The largest of many
// groups bound the k-th largest of all from below, and tell which groups need no second look.
constexpr int64_t kSampleBlock = 1024;
constexpr int64_t kSampleGroup = 64;
constexpr int64_t kSampleGroups = kSampleBlock / kSampleGroup;

struct SurveyArgs {
    const float* x;  // [n]; NaN counts as -inf
    int64_t n;
    float scale;    // 1 / temperature, at least the smallest normal number
    float* maxima;  // [blocks, kSampleGroups]: the largest of each group, -inf of none
    float* sums;    // [blocks]: sum of exp((x - largest of the block) * scale); absent: not wanted
};

struct GatherArgs {
    const float* x;      // [n]; NaN is never wanted
    const int32_t* ids;  // [n]: names of the places; absent: 0, 1, 2 ...
    int64_t n;
    const float* maxima;   // as a survey left them
    float floor, ceiling;  // wanted is what is not below the one and below the other
    // What is wanted, in the order of places, at most n and kGatherSlack more that means nothing;
    // may be the memory of x and ids. Names absent: not wanted.
    float* values;
    int32_t* names;
};
constexpr int64_t kGatherSlack = 16;

struct WeighArgs {
    const float* x;  // [n]; NaN counts as -inf
    int64_t n;
    float largest, scale;
    float* weights;  // [n]: exp((x - largest) * scale)
};

// Weights above thresholds, for the search of one above which there is a certain weight.
constexpr int kTallies = 8;
struct TallyArgs {
    const float* x;  // [n]; NaN counts as -inf
    int64_t n;
    const float* maxima;  // as a survey left them
    float largest, scale;
    const float* thresholds;  // [kTallies], ascending
    double* above;            // [kTallies]: weights of what is not below
};

struct AdmitArgs {
    const float* x;  // [n]
    int64_t n;
    const uint32_t* words;  // [n / 32, rounded up]: bit i mod 32 of word i div 32; absent: all ones
    float* y;               // [n]: x where the bit is set, else -inf
};

struct SamplingKernel {
    bool (*survey)(const SurveyArgs&);     // whether there is NaN
    int64_t (*gather)(const GatherArgs&);  // how many there are
    void (*weigh)(const WeighArgs&);
    void (*tally)(const TallyArgs&);
    void (*admit)(const AdmitArgs&);
};

using GetSamplingKernel = SamplingKernel();

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/sampling/sampling.inc"
#undef HADES_KERNEL

}  // namespace hades
