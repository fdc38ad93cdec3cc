#pragma once
#include <cstdint>

#include "base/dtype.h"
#include "base/macros.h"

namespace hades {

constexpr int kMaxRank = 8;

// What a kernel is told about an operand when it is bound. Layout is nothing but strides: an image
// is channels-last when the stride of its channel axis is 1, a slice or a transpose is a view.
struct Tensor {
    DType dtype = DType::f32;
    int32_t rank = 0;
    int64_t shape[kMaxRank] = {};
    int64_t strides[kMaxRank] = {};  // in elements; 0 repeats the element along the axis
};

HADES_INLINE int64_t element_count(const Tensor& t) {
    int64_t count = 1;
    for (int axis = 0; axis < t.rank; ++axis) count *= t.shape[axis];
    return count;
}

HADES_INLINE bool is_contiguous(const Tensor& t) {
    int64_t expected = 1;
    for (int axis = t.rank - 1; axis >= 0; --axis) {
        if (t.shape[axis] != 1 && t.strides[axis] != expected) return false;
        expected *= t.shape[axis];
    }
    return true;
}

HADES_INLINE bool same_shape(const Tensor& a, const Tensor& b) {
    if (a.rank != b.rank) return false;
    for (int axis = 0; axis < a.rank; ++axis)
        if (a.shape[axis] != b.shape[axis]) return false;
    return true;
}

}  // namespace hades
