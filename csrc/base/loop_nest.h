#pragma once
#include <cstdint>

#include "base/macros.h"
#include "base/tensor.h"

// Loops over operands of one shape and any strides, reduced to as few axes as their layouts allow.
// Axes of extent 1 are dropped, the rest ordered so that the last operand (the output) is walked
// forward in memory, and neighbours merged where every operand allows it. Contiguous operands of
// any rank become one loop. Only for operators to which the order of elements does not matter.
namespace hades {

constexpr int kMaxNestOperands = 10;

struct LoopNest {
    int32_t rank;  // at least 1
    int32_t operands;
    int64_t count;  // elements
    int64_t extents[kMaxRank];
    int64_t strides[kMaxNestOperands][kMaxRank];
};

// All tensors have the shape of the last one.
LoopNest make_loop_nest(const Tensor* const* tensors, int operands);

// Bytes of memory that the operand occupies: repeated elements count once.
double touched_bytes(const Tensor& tensor);

HADES_INLINE int64_t inner_stride(const LoopNest& nest, int operand) {
    return nest.strides[operand][nest.rank - 1];
}

// Walks elements [begin, end) of the nest in order as runs along the innermost axis and calls
// body(offsets, length): where each operand's run starts, in elements.
template <class Body>
HADES_INLINE void for_each_run(const LoopNest& nest, int64_t begin, int64_t end, const Body& body) {
    if (begin >= end) return;  // before dividing by extents, which may be zero then
    const int inner = nest.rank - 1;
    int64_t index[kMaxRank];
    int64_t offsets[kMaxNestOperands] = {};
    int64_t rest = begin;
    for (int axis = inner; axis >= 0; --axis) {
        index[axis] = rest % nest.extents[axis];
        rest /= nest.extents[axis];
        for (int o = 0; o < nest.operands; ++o) offsets[o] += index[axis] * nest.strides[o][axis];
    }
    while (begin < end) {
        const int64_t left = nest.extents[inner] - index[inner];
        const int64_t run = left < end - begin ? left : end - begin;
        body(static_cast<const int64_t*>(offsets), run);
        begin += run;
        index[inner] += run;
        for (int o = 0; o < nest.operands; ++o) offsets[o] += run * nest.strides[o][inner];
        for (int axis = inner; axis > 0 && index[axis] == nest.extents[axis]; --axis) {
            index[axis] = 0;
            ++index[axis - 1];
            for (int o = 0; o < nest.operands; ++o)
                offsets[o] +=
                    nest.strides[o][axis - 1] - nest.extents[axis] * nest.strides[o][axis];
        }
    }
}

}  // namespace hades
