#pragma once
#include "kernels/quantize/quantize.h"
#include "simd/narrow.h"
#include "simd/q8.h"
#include "simd/sum.h"

namespace hades::HADES_ISA {

static void write_rows(const QuantizeRowArgs& a, const float* x) {
    if (a.q8) quantize_row(x, a.k, a.q8);
    if (a.bf16)
        for (int64_t i = 0; i < a.k; i += kLanes) store_bf16(a.bf16 + i, load(x + i));
}

void quantize_row_f32(const QuantizeRowArgs& a) { write_rows(a, a.x); }

// The mean of squares is that of rms_norm, so that tiers differ by rounding only.
void rms_norm_quantize_f32(const QuantizeRowArgs& a) {
    const double squares = sum_terms(a.k, [&](int64_t i, int lanes) {
        const F32 value = load_n(a.x + i, lanes);
        return value * value;
    });
    const auto mean = static_cast<float>(squares / static_cast<double>(a.k) + a.epsilon);
    const F32 scale = set1(1.0f / __builtin_sqrtf(mean));
    for (int64_t i = 0; i < a.k; i += kLanes)
        store(a.scratch + i, load(a.x + i) * scale * load(a.weight + i));
    write_rows(a, a.scratch);
}

}  // namespace hades::HADES_ISA
