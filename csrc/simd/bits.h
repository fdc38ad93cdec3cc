#pragma once
#include "simd/simd.h"

// Masks as bits, the first lane in the lowest.
//
//   lane_bits(mask)      a bit per lane, and no others
//   mask_of_bits(bits)   of the kLanes lowest bits
namespace hades::HADES_ISA {

#if defined(HADES_TIER_AVX512)

HADES_INLINE uint32_t lane_bits(Mask a) { return a.v; }
HADES_INLINE Mask mask_of_bits(uint32_t bits) { return {static_cast<__mmask16>(bits)}; }

#elif defined(HADES_TIER_AVX2)

HADES_INLINE uint32_t lane_bits(Mask a) { return static_cast<uint32_t>(_mm256_movemask_ps(a.v)); }
HADES_INLINE Mask mask_of_bits(uint32_t bits) {
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i set = _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(bits)), bit);
    return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(set, bit))};
}

#else

HADES_INLINE uint32_t lane_bits(Mask a) { return a.v ? 1 : 0; }
HADES_INLINE Mask mask_of_bits(uint32_t bits) { return {(bits & 1) != 0}; }

#endif

}  // namespace hades::HADES_ISA
