#pragma once
#include <cstdint>

// Moving elements without computing: strided copies, transposes, fills and padding.
namespace hades {

// A two-dimensional block: y[r * y_row + c * y_column] = x[r * x_row + c * x_column].
// Strides count elements; copy_rows takes bytes for elements.
struct CopyBlockArgs {
    const void* x;
    void* y;
    int64_t rows, columns;
    int64_t x_row, x_column, y_row, y_column;
    bool past_caches;  // y is larger than the caches: transposes may store past them
};

// copy_rows: both columns are contiguous. transpose_b<size>: x_row == y_column == 1.
// copy_strided_b<size>: anything.
using CopyBlock = void(const CopyBlockArgs&);

// Columns [y, y + count) of an output row come from x, x + step, ... or, if x < 0, are constant.
struct PadSegment {
    int64_t y, x, count, step;
};

struct PadRowArgs {
    const void* x;  // first element of the source row; nullptr: the whole row is constant
    void* y;
    const PadSegment* segments;
    int64_t segment_count;
    int64_t columns;
    int64_t inner;               // contiguous elements that every column consists of
    int64_t x_column, y_column;  // in elements
    const void* value;
};

using PadRow = void(const PadRowArgs&);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/layout/layout.inc"
#undef HADES_KERNEL

}  // namespace hades
