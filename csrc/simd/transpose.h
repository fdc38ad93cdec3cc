#pragma once
// transpose(v): exchanges rows and columns of kLanes vectors held in registers. Elements are moved,
// never computed with, so any four-byte type may travel as F32.
#include "simd/simd.h"

namespace hades::HADES_ISA {

#if defined(HADES_TIER_AVX512)

// Pairs, quads, then 128-bit quarters: 64 shuffles for 256 elements.
HADES_INLINE void transpose(F32 (&v)[16]) {
    __m512 pairs[16], quads[16];
    for (int i = 0; i < 16; i += 2) {
        pairs[i] = _mm512_unpacklo_ps(v[i].v, v[i + 1].v);
        pairs[i + 1] = _mm512_unpackhi_ps(v[i].v, v[i + 1].v);
    }
    for (int i = 0; i < 16; i += 4) {
        for (int half = 0; half < 2; ++half) {
            const __m512d a = _mm512_castps_pd(pairs[i + half]);
            const __m512d b = _mm512_castps_pd(pairs[i + half + 2]);
            quads[i + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
            quads[i + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
        }
    }
    for (int i = 0; i < 4; ++i) {
        const __m512 even_low = _mm512_shuffle_f32x4(quads[i], quads[i + 4], 0x88);
        const __m512 odd_low = _mm512_shuffle_f32x4(quads[i], quads[i + 4], 0xdd);
        const __m512 even_high = _mm512_shuffle_f32x4(quads[i + 8], quads[i + 12], 0x88);
        const __m512 odd_high = _mm512_shuffle_f32x4(quads[i + 8], quads[i + 12], 0xdd);
        v[i].v = _mm512_shuffle_f32x4(even_low, even_high, 0x88);
        v[i + 4].v = _mm512_shuffle_f32x4(odd_low, odd_high, 0x88);
        v[i + 8].v = _mm512_shuffle_f32x4(even_low, even_high, 0xdd);
        v[i + 12].v = _mm512_shuffle_f32x4(odd_low, odd_high, 0xdd);
    }
}

#elif defined(HADES_TIER_AVX2)

HADES_INLINE void transpose(F32 (&v)[8]) {
    __m256 pairs[8], quads[8];
    for (int i = 0; i < 8; i += 2) {
        pairs[i] = _mm256_unpacklo_ps(v[i].v, v[i + 1].v);
        pairs[i + 1] = _mm256_unpackhi_ps(v[i].v, v[i + 1].v);
    }
    for (int i = 0; i < 8; i += 4) {
        for (int half = 0; half < 2; ++half) {
            const __m256d a = _mm256_castps_pd(pairs[i + half]);
            const __m256d b = _mm256_castps_pd(pairs[i + half + 2]);
            quads[i + 2 * half] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
            quads[i + 2 * half + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
        }
    }
    for (int i = 0; i < 4; ++i) {
        v[i].v = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x20);
        v[i + 4].v = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x31);
    }
}

#else

HADES_INLINE void transpose(F32 (&)[1]) {}

#endif

#if defined(HADES_TIER_AVX2)

// 16 rows of 16 bytes: rows that are 8 apart interleaved, four times.
HADES_INLINE void transpose(__m128i (&v)[16]) {
    for (int step = 0; step < 4; ++step) {
        __m128i w[16];
        for (int i = 0; i < 8; ++i) {
            w[2 * i] = _mm_unpacklo_epi8(v[i], v[i + 8]);
            w[2 * i + 1] = _mm_unpackhi_epi8(v[i], v[i + 8]);
        }
        for (int i = 0; i < 16; ++i) v[i] = w[i];
    }
}

#endif

}  // namespace hades::HADES_ISA
