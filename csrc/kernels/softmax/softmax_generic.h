#pragma once
#include "kernels/softmax/softmax.h"
#include "simd/math.h"
#include "simd/sum.h"

// Three passes over a row that stays in cache: maximum, exponentials and their sum, scaling. The
// maximum is exact, so that no exponential overflows and the largest is 1.
//
// Short rows leave most lanes of a vector empty: there a lane is a row, and the sum is in float32.
//
// A row of nothing but -inf (everything masked) gives zeros, or -inf under the logarithm; NaN or
// +inf anywhere in a row make the whole row NaN.
namespace hades::HADES_ISA {

HADES_INLINE float row_maximum(const float* x, int64_t n) {
    F32 largest[4];
    for (F32& lane : largest) lane = set1(-HUGE_VALF);
    int64_t i = 0;
    for (; i + 4 * kLanes <= n; i += 4 * kLanes)
        for (int k = 0; k < 4; ++k) largest[k] = max(largest[k], load(x + i + k * kLanes));
    for (; i + kLanes <= n; i += kLanes) largest[0] = max(largest[0], load(x + i));
    float result = max_of(max(max(largest[0], largest[1]), max(largest[2], largest[3])));
    for (; i < n; ++i) result = x[i] > result ? x[i] : result;
    return result;
}

HADES_INLINE void fill_row(float* y, int64_t n, float value) {
    for (int64_t i = 0; i < n; i += kLanes) store_n(y + i, set1(value), lanes_left(i, n));
}

HADES_INLINE bool holds_nan(const float* x, int64_t n) {
    for (int64_t i = 0; i < n; ++i)
        if (x[i] != x[i]) return true;
    return false;
}

HADES_INLINE void softmax_row(const float* x, float* y, int64_t n, F32 peak) {
    const double total = sum_terms(n, [&](int64_t i, int lanes) {
        const F32 power = exp(load_n(x + i, lanes) - peak);
        store_n(y + i, power, lanes);
        return power;
    });
    const F32 scale = set1(static_cast<float>(1.0 / total));
    for (int64_t i = 0; i < n; i += kLanes) {
        const int lanes = lanes_left(i, n);
        store_n(y + i, load_n(y + i, lanes) * scale, lanes);
    }
}

HADES_INLINE void log_softmax_row(const float* x, float* y, int64_t n, F32 peak) {
    const double total =
        sum_terms(n, [&](int64_t i, int lanes) { return exp(load_n(x + i, lanes) - peak); });
    float logarithm[kLanes];
    store(logarithm, log(set1(static_cast<float>(total))));
    for (int64_t i = 0; i < n; i += kLanes) {
        const int lanes = lanes_left(i, n);
        store_n(y + i, load_n(x + i, lanes) - peak - set1(logarithm[0]), lanes);
    }
}

constexpr int64_t kShort = 16;  // rows of so few elements are computed side by side, one per lane

HADES_INLINE void load_lanes(const SoftmaxArgs& a, int64_t row, int rows, F32* columns) {
    float lanes[kShort][kLanes] = {};
    for (int r = 0; r < rows; ++r)
        for (int64_t c = 0; c < a.n; ++c) lanes[c][r] = a.x[(row + r) * a.x_stride + c];
    for (int64_t c = 0; c < a.n; ++c) columns[c] = load(lanes[c]);
}

HADES_INLINE void store_lanes(const SoftmaxArgs& a, int64_t row, int rows, const F32* columns) {
    float lanes[kShort][kLanes];
    for (int64_t c = 0; c < a.n; ++c) store(lanes[c], columns[c]);
    for (int r = 0; r < rows; ++r)
        for (int64_t c = 0; c < a.n; ++c) a.y[(row + r) * a.y_stride + c] = lanes[c][r];
}

HADES_INLINE void softmax_short_rows(const SoftmaxArgs& a, int64_t row, int rows) {
    F32 columns[kShort], powers[kShort];
    load_lanes(a, row, rows, columns);
    F32 peak = set1(-HUGE_VALF), total = zero();
    for (int64_t c = 0; c < a.n; ++c) peak = max(columns[c], peak);
    const Mask empty = equal(peak, set1(-HUGE_VALF));
    peak = select(empty, zero(), peak);
    for (int64_t c = 0; c < a.n; ++c) {
        powers[c] = exp(columns[c] - peak);
        total = total + powers[c];
    }
    const Mask masked = empty & equal(total, total);
    const F32 fill = a.log ? set1(-HUGE_VALF) : zero();
    const F32 scale = a.log ? log(total) : set1(1.0f) / total;
    for (int64_t c = 0; c < a.n; ++c) {
        const F32 y = a.log ? columns[c] - peak - scale : powers[c] * scale;
        columns[c] = select(masked, fill, y);
    }
    store_lanes(a, row, rows, columns);
}

void softmax_f32(const SoftmaxArgs& a) {
    if (a.n <= kShort && kLanes > 1) {
        for (int64_t row = 0; row < a.rows; row += kLanes)
            softmax_short_rows(a, row, lanes_left(row, a.rows));
        return;
    }
    for (int64_t row = 0; row < a.rows; ++row) {
        const float* x = a.x + row * a.x_stride;
        float* y = a.y + row * a.y_stride;
        const float peak = row_maximum(x, a.n);
        if (peak == -HUGE_VALF && !holds_nan(x, a.n))
            fill_row(y, a.n, a.log ? -HUGE_VALF : 0.0f);
        else if (a.log)
            log_softmax_row(x, y, a.n, set1(peak));
        else
            softmax_row(x, y, a.n, set1(peak));
    }
}

}  // namespace hades::HADES_ISA
