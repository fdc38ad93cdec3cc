#pragma once
#include "kernels/sampling/cut.h"
#include "kernels/sampling/distribution.h"

// Fewer and fewer tokens that may be drawn.
namespace hades {

struct NarrowMemory {
    SurveyMemory survey;
    float* values;   // [n + kGatherSlack]: of a list
    int32_t* ids;    // [n + kGatherSlack]
    float* between;  // [n + kGatherSlack]: among which a cut is looked for
    float* weights;  // [n], and for all groups: of these
};

// All logits of a row, or a list of some with their tokens, in the order of tokens.
struct Candidates {
    Distribution d;
    const int32_t* ids;  // absent: all
};

// Where to cut so that the `count` largest are kept, and so that the fewest largest are kept whose
// weights add up to `wanted`.
Cut cut_of_number(const SamplingKernel& kernel, const Distribution& d, int64_t count,
                  const NarrowMemory& memory);
Cut cut_of_weight(const SamplingKernel& kernel, const Distribution& d, double wanted,
                  const NarrowMemory& memory);

// Makes a list of what a cut keeps, in memory.values and memory.ids; its length.
int64_t list_kept(const SamplingKernel& kernel, const Distribution& d, const int32_t* ids,
                  const Cut& cut, const NarrowMemory& memory);

// Leaves what is kept, as a list.
void keep(const SamplingKernel& kernel, const Cut& cut, const NarrowMemory& memory,
          Candidates* candidates);

}  // namespace hades
