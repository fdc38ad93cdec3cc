#pragma once
#include <cstdint>

#include "base/dtype.h"

// The k first elements along an axis, in order, and where they were. Every line is ranked by one
// thread, so results are equal for any number of threads.
namespace hades {

struct RankingArgs {
    const void* x;
    void* values;
    int64_t* positions;
    int64_t x_stride, value_stride, position_stride;
    int64_t n, k;
    bool largest;
    void* scratch;  // k entries of kRankingEntry bytes
};

// No number counts as larger than any; of equals, the first comes first.
using Rank = void(const RankingArgs&);
using FindRank = Rank*(DType dtype);

constexpr int64_t kRankingEntry = 16;  // bytes: a key and a position

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/ranking/ranking.inc"
#undef HADES_KERNEL

}  // namespace hades
