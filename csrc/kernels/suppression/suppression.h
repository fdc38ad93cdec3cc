#pragma once
#include <cstdint>

// Boxes that overlap no better one too much, in one greedy walk from the best score down.
namespace hades {

struct SuppressArgs {
    const float* boxes;   // [n, 4]: two corners, or centre and size
    const float* scores;  // [n]; NaN counts as -inf
    int64_t n;
    int64_t box;      // elements from a box to the next
    bool centred;     // whether boxes are centre and size
    float overlap;    // intersection over union above which the worse of two boxes goes
    float least;      // scores that are not above do not take part ...
    bool has_least;   // ... where there is such a limit
    int64_t most;     // boxes to keep
    int32_t* order;   // scratch [n]
    float* kept;      // scratch [5, room]: low and high corners and areas of the kept boxes
    int64_t room;     // at least most
    int64_t* chosen;  // [most]: indices of the kept boxes, the best first
};

// How many boxes are kept.
using Suppress = int64_t(const SuppressArgs&);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/suppression/suppression.inc"
#undef HADES_KERNEL

}  // namespace hades
