#pragma once
#include "kernels/norm/norm.h"
#include "simd/simd.h"

namespace hades::HADES_ISA {

// x + residual at columns [i, i + n) of a row.
HADES_INLINE F32 load_row(const float* x, const float* residual, int64_t i, int n) {
    const F32 value = load_n(x + i, n);
    return residual ? value + load_n(residual + i, n) : value;
}

HADES_INLINE int lanes_left(int64_t i, int64_t n) {
    return n - i < kLanes ? static_cast<int>(n - i) : kLanes;
}

void rms_norm_f32(const NormRowsArgs& a) {
    for (int64_t row = 0; row < a.rows; ++row) {
        const float* x = a.x + row * a.x_stride;
        const float* residual = a.residual ? a.residual + row * a.residual_stride : nullptr;
        float* y = a.y + row * a.y_stride;

        F32 squares = zero();
        for (int64_t i = 0; i < a.n; i += kLanes) {
            const F32 value = load_row(x, residual, i, lanes_left(i, a.n));
            squares = fma(value, value, squares);
        }
        const float mean_square = sum(squares) / static_cast<float>(a.n);
        const F32 scale = set1(1.0f) / sqrt(set1(mean_square + a.epsilon));
        for (int64_t i = 0; i < a.n; i += kLanes) {
            const int lanes = lanes_left(i, a.n);
            F32 value = load_row(x, residual, i, lanes) * scale;
            if (a.weight) value = value * load_n(a.weight + i, lanes);
            if (a.bias) value = value + load_n(a.bias + i, lanes);
            store_n(y + i, value, lanes);
        }
    }
}

}  // namespace hades::HADES_ISA
