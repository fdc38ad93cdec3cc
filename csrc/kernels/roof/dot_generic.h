#pragma once
#include "kernels/roof/roof.h"
#include "simd/byte_products.h"

// Formula          chain += u . s, `rounds` times: four products of bytes per lane, all of ones
// Registers        12 chains and 2 operands; why 12, and why they have names: see roof_generic.h
// Instructions     12 vpdpbusd per round, or what replaces it in the tier
// Numerics         exact in int32
namespace hades::HADES_ISA {

// Without vectors the product is an expression, which must not be computed once for all rounds: as
// far as the compiler knows, u has another value each time.
HADES_INLINE I32 dot_again(I32 acc, Bytes u, Bytes s) {
#if !defined(HADES_EMULATED)  // where nobody asks for a roof
    if constexpr (kLanes == 1) asm volatile("" : "+m"(u));
#endif
    return dot_bytes(acc, u, s);
}

static void run_dots(int64_t rounds, float* sink) {
    const uint32_t ones = 0x01010101;
    const Bytes u = dword(&ones), s = u;
    I32 a = set1(int32_t{1}), b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a;
    I32 k = a, l = a;
    for (int64_t round = 0; round < rounds; ++round) {
        a = dot_again(a, u, s), b = dot_again(b, u, s), c = dot_again(c, u, s);
        d = dot_again(d, u, s), e = dot_again(e, u, s), f = dot_again(f, u, s);
        g = dot_again(g, u, s), h = dot_again(h, u, s), i = dot_again(i, u, s);
        j = dot_again(j, u, s), k = dot_again(k, u, s), l = dot_again(l, u, s);
    }
    const I32 chains[] = {a, b, c, d, e, f, g, h, i, j, k, l};
    F32 total = zero();
    for (const I32& chain : chains) total = total + to_f32(chain);
    *sink = sum(total);
}

RoofChains roof_dot_i8() { return {2 * 12 * 4 * kLanes, run_dots}; }

}  // namespace hades::HADES_ISA
