#pragma once
#include "kernels/layout/layout.h"
#include "simd/stream.h"
#include "simd/transpose.h"

namespace hades::HADES_ISA {

HADES_INLINE int lanes_left(int64_t i, int64_t n) {
    return n - i < kLanes ? static_cast<int>(n - i) : kLanes;
}

// One kLanes x kLanes tile, `rows` x `columns` of which exist.
template <bool kPastCaches>
HADES_INLINE void transpose_tile(const CopyBlockArgs& a, int64_t row, int64_t column, int rows,
                                 int columns) {
    const float* x = static_cast<const float*>(a.x) + row + column * a.x_column;
    float* y = static_cast<float*>(a.y) + row * a.y_row + column;
    F32 tile[kLanes];
    for (int i = 0; i < kLanes; ++i)
        tile[i] = i < columns ? load_n(x + i * a.x_column, rows) : zero();
    transpose(tile);
    for (int i = 0; i < kLanes; ++i) {
        if (i >= rows) continue;
        if (kPastCaches && columns == kLanes)
            stream(y + i * a.y_row, tile[i]);
        else
            store_n(y + i * a.y_row, tile[i], columns);
    }
}

template <bool kPastCaches>
HADES_INLINE void transpose_tiles(const CopyBlockArgs& a) {
    for (int64_t row = 0; row < a.rows; row += kLanes)
        for (int64_t column = 0; column < a.columns; column += kLanes)
            transpose_tile<kPastCaches>(a, row, column, lanes_left(row, a.rows),
                                        lanes_left(column, a.columns));
}

void transpose_b4(const CopyBlockArgs& a) {
    const bool whole_lines = (reinterpret_cast<uintptr_t>(a.y) | a.y_row * sizeof(float)) % 64 == 0;
    if (!(kStreams && a.past_caches && whole_lines)) return transpose_tiles<false>(a);
    transpose_tiles<true>(a);
    end_stream();
}

}  // namespace hades::HADES_ISA
