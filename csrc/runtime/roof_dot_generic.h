#pragma once
#include <initializer_list>

#include "runtime/roof.h"
#include "simd/bytes.h"

// Integer dot products of registers. Twelve chains, as in roof_generic.h.
namespace hades::HADES_ISA {

HADES_INLINE I32 dot_again(I32 acc, Bytes u, Bytes s) {
#if !defined(HADES_EMULATED)  // where no register holds it, and nobody asks for a roof
    asm("" : "+v"(u.v));      // as far as the compiler knows, another u each time: nothing to reuse
#endif
    return dot_small(acc, u, s);
}

double dot_probe(int64_t rounds, float* sink) {
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
    F32 total = zero();
    for (const I32& chain : {a, b, c, d, e, f, g, h, i, j, k, l}) total = total + to_f32(chain);
    store(sink, total);
    return 2.0 * 12.0 * 4 * kLanes * static_cast<double>(rounds);
}

}  // namespace hades::HADES_ISA
