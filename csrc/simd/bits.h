#pragma once
#include "simd/simd.h"

// Masks as bits, the first lane in the lowest.
//
//   lane_bits(mask)      a bit per lane, and no others
//   mask_of_bits(bits)   of the kLanes lowest bits
//   compress(mask, a)    the lanes where the mask is true, moved together at the front; what stands
//                        in the others means nothing
namespace hades::HADES_ISA {

#if defined(HADES_TIER_AVX512)

HADES_INLINE uint32_t lane_bits(Mask a) { return a.v; }
HADES_INLINE Mask mask_of_bits(uint32_t bits) { return {static_cast<__mmask16>(bits)}; }
HADES_INLINE F32 compress(Mask m, F32 a) { return {_mm512_maskz_compress_ps(m.v, a.v)}; }
HADES_INLINE I32 compress(Mask m, I32 a) { return {_mm512_maskz_compress_epi32(m.v, a.v)}; }

#elif defined(HADES_TIER_AVX2)

HADES_INLINE uint32_t lane_bits(Mask a) { return static_cast<uint32_t>(_mm256_movemask_ps(a.v)); }
HADES_INLINE Mask mask_of_bits(uint32_t bits) {
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i set = _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(bits)), bit);
    return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(set, bit))};
}

struct LanesOfBits {
    uint8_t lanes[256][8];
};
static constexpr LanesOfBits make_lanes_of_bits() {
    LanesOfBits table = {};
    for (int bits = 0; bits < 256; ++bits)
        for (int lane = 0, count = 0; lane < 8; ++lane)
            if (bits >> lane & 1) table.lanes[bits][count++] = static_cast<uint8_t>(lane);
    return table;
}
static constexpr LanesOfBits kLanesOfBits = make_lanes_of_bits();

HADES_INLINE __m256i lanes_of(Mask m) {
    const auto* lanes = reinterpret_cast<const __m128i*>(kLanesOfBits.lanes[lane_bits(m)]);
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(lanes));
}
HADES_INLINE F32 compress(Mask m, F32 a) { return {_mm256_permutevar8x32_ps(a.v, lanes_of(m))}; }
HADES_INLINE I32 compress(Mask m, I32 a) { return {_mm256_permutevar8x32_epi32(a.v, lanes_of(m))}; }

#else

HADES_INLINE uint32_t lane_bits(Mask a) { return a.v ? 1 : 0; }
HADES_INLINE Mask mask_of_bits(uint32_t bits) { return {(bits & 1) != 0}; }
HADES_INLINE F32 compress(Mask, F32 a) { return a; }
HADES_INLINE I32 compress(Mask, I32 a) { return a; }

#endif

}  // namespace hades::HADES_ISA
