#pragma once
#include "simd/emulated/lanes.h"

// Multiply-adds that round once where the machine has none: SIMDe's round twice.
#if !defined(__FMA__)

namespace hades::HADES_ISA::emulated {

template <class Vector>
HADES_INLINE Vector fmadd(Vector a, Vector b, Vector c) {
    const auto x = lanes_of<float>(a), y = lanes_of<float>(b);
    auto sum = lanes_of<float>(c);
    for (size_t i = 0; i < sizeof(Vector) / sizeof(float); ++i)
        sum.v[i] = __builtin_fmaf(x.v[i], y.v[i], sum.v[i]);
    return vector_of<Vector>(sum);
}

template <class Vector>
HADES_INLINE Vector fnmadd(Vector a, Vector b, Vector c) {
    const auto x = lanes_of<float>(a), y = lanes_of<float>(b);
    auto sum = lanes_of<float>(c);
    for (size_t i = 0; i < sizeof(Vector) / sizeof(float); ++i)
        sum.v[i] = __builtin_fmaf(-x.v[i], y.v[i], sum.v[i]);
    return vector_of<Vector>(sum);
}

}  // namespace hades::HADES_ISA::emulated

#undef _mm256_fmadd_ps
#undef _mm256_fnmadd_ps
#undef _mm512_fmadd_ps
#undef _mm512_fnmadd_ps
#define _mm256_fmadd_ps hades::HADES_ISA::emulated::fmadd<__m256>
#define _mm256_fnmadd_ps hades::HADES_ISA::emulated::fnmadd<__m256>
#define _mm512_fmadd_ps hades::HADES_ISA::emulated::fmadd<__m512>
#define _mm512_fnmadd_ps hades::HADES_ISA::emulated::fnmadd<__m512>

#endif
