#pragma once
#include "kernels/moe/moe.h"
#include "simd/math.h"
#include "simd/q8.h"

namespace hades::HADES_ISA {

template <Gated activation>
HADES_INLINE F32 gated(F32 gate, F32 up, float alpha, float limit) {
    if constexpr (activation == Gated::swiglu) return up * silu(gate);
    const F32 bounded = min(set1(limit), gate);
    const F32 linear = min(set1(limit), max(set1(-limit), up)) + set1(1.0f);
    return linear * bounded * sigmoid(set1(alpha) * bounded);
}

template <bool has_bias>
HADES_INLINE F32 biased(const float* acc, const float* bias, int64_t at) {
    if constexpr (has_bias) return load(acc + at) + load(bias + at);
    return load(acc + at);
}

template <Gated activation, bool has_bias>
static void gate(const GateArgs& a) {
    constexpr int64_t kPair = 2 * kTileRows;
    for (int64_t i = 0; i < a.m; ++i) {
        alignas(64) float columns[kBlock];
        for (int64_t half = 0; half < 2; ++half) {
            const float* acc = a.acc + (2 * i + half) * kPair;
            const float* bias = has_bias ? a.bias + half * kPair : nullptr;
            for (int r = 0; r < kTileRows; r += kLanes) {
                const F32 gate = biased<has_bias>(acc, bias, r);
                const F32 up = biased<has_bias>(acc, bias, kTileRows + r);
                store(columns + half * kTileRows + r,
                      gated<activation>(gate, up, a.alpha, a.limit));
            }
        }
        if (a.q8) {
            uint8_t* row = a.q8 + i * a.row_bytes;
            const int64_t block = a.column / kBlock;
            quantize_block(columns, reinterpret_cast<int8_t*>(row) + a.column,
                           const_cast<float*>(q8_scales(row, a.k)) + block,
                           const_cast<int32_t*>(q8_sums(row, a.k)) + block);
        } else {
            float* row = a.f32 + i * a.k + a.column;
            for (int c = 0; c < kBlock; c += kLanes) store(row + c, load(columns + c));
        }
    }
}

static void combine(const CombineArgs& a) {
    for (int64_t c = 0; c < a.n; c += kLanes) {
        const int lanes = static_cast<int>(a.n - c < kLanes ? a.n - c : kLanes);
        F32 total = a.residual ? load_n(a.residual + c, lanes) : zero();
        for (int64_t e = 0; e < a.k; ++e)
            total = total + set1(a.weights[e]) * load_n(a.rows + a.pairs[e] * a.n + c, lanes);
        store_n(a.y + c, total, lanes);
    }
}

MoeSteps moe_f32() {
    return {{{gate<Gated::clamped_swiglu, false>, gate<Gated::clamped_swiglu, true>},
             {gate<Gated::swiglu, false>, gate<Gated::swiglu, true>}},
            combine};
}

}  // namespace hades::HADES_ISA
