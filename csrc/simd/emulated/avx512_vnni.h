#pragma once
#include "simd/emulated/lanes.h"

// Products of bytes as the instruction defines them: the plain twin of the assembly in bytes.h.
#if !defined(__AVX512VNNI__)

namespace hades::HADES_ISA::emulated {

HADES_INLINE __m512i dpbusd(__m512i sums, __m512i unsigned_bytes, __m512i signed_bytes) {
    auto total = lanes_of<int32_t>(sums);
    const auto u = lanes_of<uint8_t>(unsigned_bytes);
    const auto s = lanes_of<int8_t>(signed_bytes);
    for (int i = 0; i < 64; ++i) total.v[i / 4] += int32_t{u.v[i]} * s.v[i];
    return vector_of<__m512i>(total);
}

}  // namespace hades::HADES_ISA::emulated

#undef _mm512_dpbusd_epi32
#define _mm512_dpbusd_epi32 hades::HADES_ISA::emulated::dpbusd

#endif
