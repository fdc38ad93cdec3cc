#pragma once
#include <cstdint>

// Where a list of values is cut when its largest are kept. It is found by the bits of the values,
// eleven at a time, in time that grows with the list alone: sorting half a vocabulary takes longer
// than computing its logits.
namespace hades {

// Kept are the values that are not below `value`, but of those that equal it not the last
// `excess`.
struct Cut {
    float value;
    int64_t excess;
};

// Keeps the fewest largest values whose measures add up to `wanted`: all if they do not. Measures
// are the weights, which are equal for equal values, or 1 each where there are none. Values are no
// NaN.
Cut find_cut(const float* values, const float* weights, int64_t n, double wanted);

}  // namespace hades
