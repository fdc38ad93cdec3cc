#pragma once
#include <cstdint>

// Where a list of values is cut when its largest are kept. It is found by the bits of the values,
// eleven at a time, in time that grows with the list alone: sorting half a vocabulary takes longer
// than computing its logits.
namespace hades {

// Kept are the values above `value`, and the first `equals` of those that equal it.
struct Cut {
    float value;
    int64_t equals;
};

// Unsigned, ascending as the values do; zeros of either sign are equal.
uint32_t ascending_bits(float value);

// Keeps the fewest largest values whose measures add up to `wanted`: all if they do not. Measures
// are the weights, which are equal for equal values, or 1 each where there are none. Values are no
// NaN.
Cut find_cut(const float* values, const float* weights, int64_t n, double wanted);

// Drops values and their ids from a list; how many are left, in the same order.
int64_t apply_cut(const Cut& cut, float* values, int32_t* ids, int64_t n);

}  // namespace hades
