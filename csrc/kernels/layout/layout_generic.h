#pragma once
#include "kernels/layout/layout.h"
#include "simd/transpose.h"

namespace hades::HADES_ISA {

HADES_INLINE int lanes_left(int64_t i, int64_t n) {
    return n - i < kLanes ? static_cast<int>(n - i) : kLanes;
}

// One kLanes x kLanes tile, `rows` x `columns` of which exist.
HADES_INLINE void transpose_tile(const CopyBlockArgs& a, int64_t row, int64_t column, int rows,
                                 int columns) {
    const float* x = static_cast<const float*>(a.x) + row + column * a.x_column;
    float* y = static_cast<float*>(a.y) + row * a.y_row + column;
    F32 tile[kLanes];
    for (int i = 0; i < kLanes; ++i)
        tile[i] = i < columns ? load_n(x + i * a.x_column, rows) : zero();
    transpose(tile);
    for (int i = 0; i < kLanes; ++i)
        if (i < rows) store_n(y + i * a.y_row, tile[i], columns);
}

void transpose_b4(const CopyBlockArgs& a) {
    for (int64_t row = 0; row < a.rows; row += kLanes)
        for (int64_t column = 0; column < a.columns; column += kLanes)
            transpose_tile(a, row, column, lanes_left(row, a.rows), lanes_left(column, a.columns));
}

}  // namespace hades::HADES_ISA
