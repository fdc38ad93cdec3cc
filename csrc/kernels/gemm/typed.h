#pragma once
#include <cstdint>

#include "base/dtype.h"

// Matrix products of dtypes other than float32: one row of y at a time, any strides, no epilogue.
namespace hades {

struct TypedRowArgs {
    const void* a;                       // [k]
    const void* b;                       // [k, n]
    void* y;                             // [n]
    int64_t a_col, b_row, b_col, y_col;  // elements
    int64_t k, n;
};

using TypedRow = void(const TypedRowArgs&);

// nullptr where the dtype has no product.
using FindTypedRow = TypedRow*(DType dtype);

}  // namespace hades
