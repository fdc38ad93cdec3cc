#pragma once
#include "base/tensor.h"

// Shapes that binding asks for.
namespace hades {

HADES_INLINE bool is_vector(const Tensor& t, DType dtype) {
    return t.dtype == dtype && t.rank == 1 && is_contiguous(t);
}

// Rows may lie apart, columns not.
HADES_INLINE bool is_matrix(const Tensor& t, DType dtype) {
    return t.dtype == dtype && t.rank == 2 && (t.strides[1] == 1 || t.shape[1] == 1);
}

// How many rows of the operands are in use: int32 [1].
HADES_INLINE bool is_rows_in_use(const Tensor& t) {
    return is_vector(t, DType::i32) && t.shape[0] == 1;
}

}  // namespace hades
