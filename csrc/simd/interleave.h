#pragma once
#include "simd/byte_products.h"
#include "simd/requantize.h"

// Four rows of 4 kLanes bytes, column by column, as quads for dot products: the bytes of a column
// lie in one lane. The columns of quads[i] are those with number 4 i to 4 i + 3 of each 16: the
// order in which unpacking leaves them, and which packing the results restores.
namespace hades::HADES_ISA {

constexpr int kColumns = 4 * kLanes;

// Which column lane `lane` of quads[i] holds.
HADES_INLINE constexpr int column_of(int i, int lane) {
    return kLanes < 4 ? i : lane / 4 * 16 + 4 * i + lane % 4;
}

#if defined(HADES_TIER_AVX512)

HADES_INLINE void interleave(const Bytes (&rows)[4], Bytes (&quads)[4]) {
    const __m512i a = _mm512_unpacklo_epi8(rows[0].v, rows[1].v);
    const __m512i b = _mm512_unpackhi_epi8(rows[0].v, rows[1].v);
    const __m512i c = _mm512_unpacklo_epi8(rows[2].v, rows[3].v);
    const __m512i d = _mm512_unpackhi_epi8(rows[2].v, rows[3].v);
    quads[0].v = _mm512_unpacklo_epi16(a, c), quads[1].v = _mm512_unpackhi_epi16(a, c);
    quads[2].v = _mm512_unpacklo_epi16(b, d), quads[3].v = _mm512_unpackhi_epi16(b, d);
}

// Steps within limits in that order, as points in their own: the first `count`. NaN gives 0.
HADES_INLINE void store_interleaved(uint8_t* p, const F32 (&steps)[4], int32_t zero_point,
                                    int count) {
    const __m512i zero_points = _mm512_set1_epi16(static_cast<short>(zero_point));
    const __m512i low =
        _mm512_packs_epi32(_mm512_cvtps_epi32(steps[0].v), _mm512_cvtps_epi32(steps[1].v));
    const __m512i high =
        _mm512_packs_epi32(_mm512_cvtps_epi32(steps[2].v), _mm512_cvtps_epi32(steps[3].v));
    const __m512i points = _mm512_packus_epi16(_mm512_adds_epi16(low, zero_points),
                                               _mm512_adds_epi16(high, zero_points));
    _mm512_mask_storeu_epi8(p, ~uint64_t{0} >> (64 - count), points);
}

#elif defined(HADES_TIER_AVX2)

HADES_INLINE void interleave(const Bytes (&rows)[4], Bytes (&quads)[4]) {
    const __m256i a = _mm256_unpacklo_epi8(rows[0].v, rows[1].v);
    const __m256i b = _mm256_unpackhi_epi8(rows[0].v, rows[1].v);
    const __m256i c = _mm256_unpacklo_epi8(rows[2].v, rows[3].v);
    const __m256i d = _mm256_unpackhi_epi8(rows[2].v, rows[3].v);
    quads[0].v = _mm256_unpacklo_epi16(a, c), quads[1].v = _mm256_unpackhi_epi16(a, c);
    quads[2].v = _mm256_unpacklo_epi16(b, d), quads[3].v = _mm256_unpackhi_epi16(b, d);
}

HADES_INLINE void store_interleaved(uint8_t* p, const F32 (&steps)[4], int32_t zero_point,
                                    int count) {
    const __m256i zero_points = _mm256_set1_epi16(static_cast<short>(zero_point));
    const __m256i low =
        _mm256_packs_epi32(_mm256_cvtps_epi32(steps[0].v), _mm256_cvtps_epi32(steps[1].v));
    const __m256i high =
        _mm256_packs_epi32(_mm256_cvtps_epi32(steps[2].v), _mm256_cvtps_epi32(steps[3].v));
    const Bytes points = {_mm256_packus_epi16(_mm256_adds_epi16(low, zero_points),
                                              _mm256_adds_epi16(high, zero_points))};
    if (count == kColumns) return store_bytes(p, points);
    uint8_t buffer[kColumns];
    store_bytes(buffer, points);
    memcpy(p, buffer, static_cast<size_t>(count));
}

#endif

}  // namespace hades::HADES_ISA
