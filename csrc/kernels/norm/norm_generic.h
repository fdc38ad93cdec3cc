#pragma once
#include "kernels/norm/norm.h"
#include "simd/epilogue.h"
#include "simd/sum.h"

// Mean and variance are taken in two passes over data that the first pass has brought into cache:
// the sum of squared deviations does not cancel, as sum(x^2) - n * mean^2 would. Sums are those of
// simd/sum.h, so that the result is within a few ulp of float64 for any n.
namespace hades::HADES_ISA {

// One row of x + residual.
struct Row {
    const float* x;
    const float* residual;

    inline __attribute__((always_inline)) F32 at(int64_t i, int lanes) const {
        const F32 value = load_n(x + i, lanes);
        return residual ? value + load_n(residual + i, lanes) : value;
    }
};

HADES_INLINE Row row_of(const NormRowsArgs& a, int64_t row) {
    return {a.x + row * a.x_stride, a.residual ? a.residual + row * a.residual_stride : nullptr};
}

// y = (row - mean) * scale * weight + bias
HADES_INLINE void write_row(const NormRowsArgs& a, const Row& row, float* y, F32 mean, F32 scale) {
    for (int64_t i = 0; i < a.n; i += kLanes) {
        const int lanes = lanes_left(i, a.n);
        F32 value = (row.at(i, lanes) - mean) * scale;
        if (a.weight) value = value * load_n(a.weight + i, lanes);
        if (a.bias) value = value + load_n(a.bias + i, lanes);
        store_n(y + i, value, lanes);
    }
}

HADES_INLINE float inverse_root(double mean_square, float epsilon) {
    return 1.0f / __builtin_sqrtf(static_cast<float>(mean_square + epsilon));
}

void rms_norm_f32(const NormRowsArgs& a) {
    for (int64_t r = 0; r < a.rows; ++r) {
        const Row row = row_of(a, r);
        const double squares = sum_terms(a.n, [&](int64_t i, int lanes) {
            const F32 value = row.at(i, lanes);
            return value * value;
        });
        const float scale = inverse_root(squares / static_cast<double>(a.n), a.epsilon);
        write_row(a, row, a.y + r * a.y_stride, zero(), set1(scale));
    }
}

void layer_norm_f32(const NormRowsArgs& a) {
    for (int64_t r = 0; r < a.rows; ++r) {
        const Row row = row_of(a, r);
        const auto n = static_cast<double>(a.n);
        const double total = sum_terms(a.n, [&](int64_t i, int lanes) { return row.at(i, lanes); });
        const auto mean = static_cast<float>(total / n);
        const double squares = sum_terms(a.n, [&](int64_t i, int lanes) {
            const F32 centred = row.at(i, lanes) - set1(mean);
            return centred * centred;
        });
        const float scale = inverse_root(squares / n, a.epsilon);
        if (a.mean) a.mean[r] = mean;
        if (a.inverse_std) a.inverse_std[r] = scale;
        write_row(a, row, a.y + r * a.y_stride, set1(mean), set1(scale));
    }
}

// Elements [i, i + lanes) of a line with any stride.
HADES_INLINE F32 load_line(const float* line, int64_t stride, int64_t i, int lanes) {
    if (stride == 1) return load_n(line + i, lanes);
    float values[kLanes] = {};
    for (int k = 0; k < lanes; ++k) values[k] = line[(i + k) * stride];
    return load(values);
}
HADES_INLINE void store_line(float* line, int64_t stride, int64_t i, F32 value, int lanes) {
    if (stride == 1) return store_n(line + i, value, lanes);
    float values[kLanes];
    store(values, value);
    for (int k = 0; k < lanes; ++k) line[(i + k) * stride] = values[k];
}

// One group, channel by channel along s: for planar images and unusual strides.
HADES_INLINE void normalize_group(const NormGroupsArgs& a, int64_t first_channel) {
    const int64_t last_channel = first_channel + a.channels_per_group;
    const double count = static_cast<double>(a.channels_per_group) * static_cast<double>(a.s);
    const auto sum_over = [&](auto term) {
        double total = 0;
        for (int64_t c = first_channel; c < last_channel; ++c) {
            const float* line = a.x + c * a.x_channel_stride;
            total += sum_terms(a.s, [&](int64_t i, int lanes) {
                return term(load_line(line, a.x_stride, i, lanes));
            });
        }
        return total;
    };
    const F32 mean = set1(static_cast<float>(sum_over([](F32 x) { return x; }) / count));
    const double squares = sum_over([&](F32 x) { return (x - mean) * (x - mean); });
    const float inverse = inverse_root(squares / count, a.epsilon);
    for (int64_t c = first_channel; c < last_channel; ++c) {
        const F32 scale = set1(a.weight ? a.weight[c] * inverse : inverse);
        const F32 bias = set1(a.bias ? a.bias[c] : 0.0f);
        const float* x = a.x + c * a.x_channel_stride;
        float* y = a.y + c * a.y_channel_stride;
        for (int64_t i = 0; i < a.s; i += kLanes) {
            const int lanes = lanes_left(i, a.s);
            const F32 value = fma(load_line(x, a.x_stride, i, lanes) - mean, scale, bias);
            store_line(y, a.y_stride, i, apply(a.activation, value), lanes);
        }
    }
}

// totals[c] = sum over s of (x[c, s] - mean[c]) or its square; mean may be nullptr. Blocks of 128
// rows are summed in `block` first, which keeps the chain of float32 additions short.
template <bool squared>
HADES_INLINE void sum_columns(const NormGroupsArgs& a, int64_t channels, const float* mean,
                              float* block, float* totals) {
    for (int64_t c = 0; c < channels; ++c) totals[c] = 0.0f;
    for (int64_t first = 0; first < a.s; first += 128) {
        const int64_t last = a.s - first < 128 ? a.s : first + 128;
        for (int64_t c = 0; c < channels; c += kLanes) {
            const int lanes = lanes_left(c, channels);
            const F32 shift = mean ? load_n(mean + c, lanes) : zero();
            F32 sums = zero();
            for (int64_t s = first; s < last; ++s) {
                const F32 value = load_n(a.x + s * a.x_stride + c, lanes) - shift;
                sums = squared ? fma(value, value, sums) : sums + value;
            }
            store_n(block + c, sums, lanes);
        }
        for (int64_t c = 0; c < channels; ++c) totals[c] += block[c];
    }
}

// per_channel[c] = function(mean of totals over the group of c)
template <class Function>
HADES_INLINE void average_groups(const NormGroupsArgs& a, const float* totals, float* per_channel,
                                 const Function& function) {
    for (int64_t g = 0; g < a.groups; ++g) {
        const int64_t first = g * a.channels_per_group;
        double total = 0;
        for (int64_t c = first; c < first + a.channels_per_group; ++c) total += totals[c];
        const double count = static_cast<double>(a.channels_per_group) * static_cast<double>(a.s);
        for (int64_t c = first; c < first + a.channels_per_group; ++c)
            per_channel[c] = function(total / count, c);
    }
}

// Channels-last: lanes are channels, so that every cache line is read once per pass whatever the
// number of groups.
HADES_INLINE void normalize_columns(const NormGroupsArgs& a) {
    const int64_t channels = a.groups * a.channels_per_group;
    float* mean = a.scratch;
    float* scale = mean + channels;
    float* bias = scale + channels;
    float* totals = bias + channels;
    float* block = totals + channels;
    sum_columns<false>(a, channels, nullptr, block, totals);
    average_groups(a, totals, mean, [](double m, int64_t) { return static_cast<float>(m); });
    sum_columns<true>(a, channels, mean, block, totals);
    average_groups(a, totals, scale, [&](double variance, int64_t c) {
        const float inverse = inverse_root(variance, a.epsilon);
        return a.weight ? a.weight[c] * inverse : inverse;
    });
    for (int64_t c = 0; c < channels; ++c) bias[c] = a.bias ? a.bias[c] : 0.0f;
    for (int64_t s = 0; s < a.s; ++s) {
        for (int64_t c = 0; c < channels; c += kLanes) {
            const int lanes = lanes_left(c, channels);
            const F32 centred = load_n(a.x + s * a.x_stride + c, lanes) - load_n(mean + c, lanes);
            const F32 value = fma(centred, load_n(scale + c, lanes), load_n(bias + c, lanes));
            store_n(a.y + s * a.y_stride + c, apply(a.activation, value), lanes);
        }
    }
}

void group_norm_f32(const NormGroupsArgs& a) {
    if (a.x_channel_stride == 1 && a.y_channel_stride == 1 && a.x_stride != 1)
        return normalize_columns(a);
    for (int64_t g = 0; g < a.groups; ++g) normalize_group(a, g * a.channels_per_group);
}

}  // namespace hades::HADES_ISA
