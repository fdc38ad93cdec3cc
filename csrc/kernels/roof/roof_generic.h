#pragma once
#include "kernels/roof/roof.h"
#include "simd/simd.h"

// Formula          multiply-adds: chain = chain * scale + step, `rounds` times; reads: sum of x
// Registers        12 chains and 2 constants, of 16 at least: 12 independent chains cover latency 4
//                  on two ports with a margin. They are named variables, because an array of
//                  accumulators may live in memory, and then the store port is what is measured.
// Instructions     12 vfmadd per round; 4 loads and 4 additions, and a prefetch per cache line
// Numerics         every chain rounds once per round; vectors are summed lane by lane, then across
namespace hades::HADES_ISA {

static void run_multiply_adds(int64_t rounds, float* sink) {
    const F32 scale = set1(0.999999f), step = set1(1e-7f);
    F32 a = set1(1.0f), b = set1(1.1f), c = set1(1.2f), d = set1(1.3f);
    F32 e = set1(1.4f), f = set1(1.5f), g = set1(1.6f), h = set1(1.7f);
    F32 i = set1(1.8f), j = set1(1.9f), k = set1(2.0f), l = set1(2.1f);
    for (int64_t round = 0; round < rounds; ++round) {
        a = fma(a, scale, step), b = fma(b, scale, step), c = fma(c, scale, step);
        d = fma(d, scale, step), e = fma(e, scale, step), f = fma(f, scale, step);
        g = fma(g, scale, step), h = fma(h, scale, step), i = fma(i, scale, step);
        j = fma(j, scale, step), k = fma(k, scale, step), l = fma(l, scale, step);
    }
    *sink = sum(((a + b) + (c + d)) + ((e + f) + (g + h)) + ((i + j) + (k + l)));
}

RoofChains roof_multiply_add_f32() { return {2 * 12 * kLanes, run_multiply_adds}; }

void roof_read_f32(const float* data, int64_t count, float* sink) {
    F32 a = zero(), b = zero(), c = zero(), d = zero();
    int64_t i = 0;
    for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
        for (int line = 0; line < 4 * kLanes; line += 16)
            __builtin_prefetch(data + i + line + 1536);
        a = a + load(data + i), b = b + load(data + i + kLanes);
        c = c + load(data + i + 2 * kLanes), d = d + load(data + i + 3 * kLanes);
    }
    *sink = sum((a + b) + (c + d));
}

}  // namespace hades::HADES_ISA
