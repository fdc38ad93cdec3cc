#pragma once
#include "base/requantize.h"
#include "simd/epilogue.h"

// Integer sums to floats and to points of a grid, see base/requantize.h. Every step rounds once, so
// that all tiers give the same bits; costly activations use fused multiply-adds, which the scalar
// tier computes too where HADES_SCALAR_FUSES is defined.
namespace hades::HADES_ISA {

// v / y_scale, rounded and limited; NaN gives 0. The limits are integers, so that rounding after
// them is the same as before.
HADES_INLINE F32 point_of(const Requantize& r, F32 v) {
    const float zero_point = static_cast<float>(r.y_zero);
    if (r.y_scale != 1.0f) v = v / set1(r.y_scale);
    v = min(max(v, set1(-zero_point)), set1(255.0f - zero_point));
    return round_even(v) + set1(zero_point);
}

HADES_INLINE F32 residual_of(const Requantize& r, const uint8_t* p, int lanes) {
    const F32 steps = load_u8_n(p, lanes) - set1(static_cast<float>(r.residual_zero));
    return steps * set1(r.residual_scale);
}

// Rows of sums in memory, `sums_row` apart, of which `columns` count; residual and y are those of
// the first row and column.
struct RequantizeRows {
    const float* factor;
    const float* offset;   // or nullptr
    const void* residual;  // or nullptr
    void* y;
    int64_t residual_row, y_row;  // elements between rows
};

template <Activation kind>
HADES_INLINE void requantize_vector(const Requantize& r, const RequantizeRows& to, I32 sum, int row,
                                    int column, int lanes) {
    F32 v = to_f32(sum) * load_n(to.factor + column, lanes);
    if (to.offset) v = v + load_n(to.offset + column, lanes);
    v = apply<kind>(r.epilogue.activation, v);
    if (to.residual) {
        const int64_t at = row * to.residual_row + column;
        v = v + (r.residual_is_bytes
                     ? residual_of(r, static_cast<const uint8_t*>(to.residual) + at, lanes)
                     : load_n(static_cast<const float*>(to.residual) + at, lanes));
    }
    v = apply(r.epilogue.after, v);
    const int64_t at = row * to.y_row + column;
    if (r.y_is_bytes)
        store_u8_n(static_cast<uint8_t*>(to.y) + at, point_of(r, v), lanes);
    else
        store_n(static_cast<float*>(to.y) + at, v, lanes);
}

__attribute__((noinline, unused)) static void requantize_rows(const Requantize& r,
                                                              const RequantizeRows& to,
                                                              const int32_t* sums, int sums_row,
                                                              int rows, int columns) {
    with_activation(r.epilogue.activation.kind, [&](auto kind) {
        for (int row = 0; row < rows; ++row)
            for (int column = 0; column < columns; column += kLanes) {
                const int lanes = columns - column < kLanes ? columns - column : kLanes;
                requantize_vector<kind.value>(r, to, load(sums + row * sums_row + column), row,
                                              column, lanes);
            }
    });
}

}  // namespace hades::HADES_ISA
