#pragma once
#include "kernels/roof/roof.h"
#include "simd/bf16_products.h"

// Formula          chain += a . b, `rounds` times: two products of bfloat16 per lane, all of ones
// Registers        12 chains and 2 operands; why 12, and why they have names: see roof_generic.h
// Instructions     12 vdpbf16ps per round, or two multiply-adds for each
// Numerics         exact below 2^24 in float32, where a chain then stays
namespace hades::HADES_ISA {

static void run_bf16_dots(int64_t rounds, float* sink) {
    const uint16_t ones[2] = {0x3f80, 0x3f80};
    const Pairs u = spread_pair(ones), w = u;
    F32 a = set1(1.0f), b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a;
    for (int64_t round = 0; round < rounds; ++round) {
        add_products(a, u, w), add_products(b, u, w), add_products(c, u, w);
        add_products(d, u, w), add_products(e, u, w), add_products(f, u, w);
        add_products(g, u, w), add_products(h, u, w), add_products(i, u, w);
        add_products(j, u, w), add_products(k, u, w), add_products(l, u, w);
    }
    *sink = sum(((a + b) + (c + d)) + ((e + f) + (g + h)) + ((i + j) + (k + l)));
}

RoofChains roof_dot_bf16() { return {2 * 12 * 2 * kLanes, run_bf16_dots}; }

}  // namespace hades::HADES_ISA
