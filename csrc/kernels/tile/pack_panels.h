#pragma once
#include "base/rounding.h"
#include "kernels/tile/args.h"
#include "kernels/tile/micro_kernel.h"
#include "simd/transpose.h"

// Copies b[k, n] to panels: packed[panel][i][c] = b[i, panel * kPanelWidth + c].
//
// Operands            b: any strides; packed: panels of kPanelWidth columns one after the other,
// the
//                     last as wide as its columns need in whole vectors, zeros beyond them
// Registers           one vector where rows are contiguous; where columns are, a square of kLanes
//                     vectors, which turns in registers
// Numerics            values are copied
namespace hades::HADES_ISA {

HADES_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

static float* pack_rows(const float* b, const PackPanelsArgs& p, int columns, int width,
                        float* packed) {
    for (int64_t i = 0; i < p.k; ++i, packed += width) {
        const float* row = b + i * p.k_stride;
        if (p.n_stride == 1) {
            int c = 0;
            for (; c + kLanes <= columns; c += kLanes) store(packed + c, load(row + c));
            if (c < columns) store(packed + c, load_n(row + c, columns - c));
        } else {
            for (int c = 0; c < width; ++c) packed[c] = c < columns ? row[c * p.n_stride] : 0.0f;
        }
    }
    return packed;
}

// Columns of b are contiguous (b is a transposed matrix): squares of kLanes turn in registers.
static float* pack_transposed(const float* b, int64_t n_stride, int64_t k, int columns, int width,
                              float* packed) {
    for (int64_t i = 0; i < k; i += kLanes) {
        const int steps = static_cast<int>(smaller(k - i, kLanes));
        for (int c = 0; c < width; c += kLanes) {
            F32 square[kLanes];
#pragma GCC unroll 16
            for (int lane = 0; lane < kLanes; ++lane)
                square[lane] =
                    c + lane < columns ? load_n(b + (c + lane) * n_stride + i, steps) : zero();
            transpose(square);
#pragma GCC unroll 16
            for (int step = 0; step < kLanes; ++step)
                if (step < steps) store(packed + (i + step) * width + c, square[step]);
        }
    }
    return packed + k * width;
}

// One panel after the other.
static void pack_panels(const PackPanelsArgs& p) {
    float* packed = p.packed;
    for (int64_t column = 0; column < p.n; column += kPanelWidth) {
        const int columns = static_cast<int>(smaller(p.n - column, kPanelWidth));
        const int width = round_up(columns, kLanes);
        const float* source = p.b + column * p.n_stride;
        if (p.k_stride == 1 && p.n_stride != 1)
            packed = pack_transposed(source, p.n_stride, p.k, columns, width, packed);
        else
            packed = pack_rows(source, p, columns, width, packed);
    }
}

}  // namespace hades::HADES_ISA
