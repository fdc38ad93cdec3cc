#pragma once
#include "simd/simd.h"

// Sums of many terms that stay accurate: at most kSumBlock / (4 kLanes) additions in a row happen
// in float32, the blocks are added in float64. The order is fixed, so results never depend on
// threads.
namespace hades::HADES_ISA {

constexpr int64_t kSumBlock = 1024;

HADES_INLINE int lanes_left(int64_t i, int64_t n) {
    return n - i < kLanes ? static_cast<int>(n - i) : kLanes;
}

// Sum of term(i, lanes) over i in [begin, end): lanes is how many of the kLanes elements from i on
// exist, and term may return anything in the others.
template <class Term>
HADES_INLINE float sum_block(int64_t begin, int64_t end, const Term& term) {
    F32 sums[4] = {zero(), zero(), zero(), zero()};
    int64_t i = begin;
    for (; i + 4 * kLanes <= end; i += 4 * kLanes)
        for (int k = 0; k < 4; ++k) sums[k] = sums[k] + term(i + k * kLanes, kLanes);
    for (; i < end; i += kLanes) {
        const int lanes = lanes_left(i, end);
        sums[0] = sums[0] + keep_first(term(i, lanes), lanes);
    }
    return sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

template <class Term>
HADES_INLINE double sum_terms(int64_t n, const Term& term) {
    double total = 0;
    for (int64_t i = 0; i < n; i += kSumBlock)
        total += sum_block(i, n - i < kSumBlock ? n : i + kSumBlock, term);
    return total;
}

}  // namespace hades::HADES_ISA
