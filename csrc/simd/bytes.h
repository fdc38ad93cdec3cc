#pragma once
#include "base/float16.h"
#include "simd/simd.h"

// Vectors of 4 kLanes bytes for integer dot products, where each dword belongs to one lane.
//
//   Bytes                          the vector;  load_bytes, store_bytes; of some of them _n
//   max_u8(a, b)                   of each byte
//   dword(p)                       4 bytes of memory in every lane
//   low_nibbles, high_nibbles      of each byte
//   exclusive_or(a, b)             of each bit;  broadcast_byte
//   subtract_signed(a, b)          of int8, saturating. These three are for vectors only
//   lookup(table, b)               table[b] for b in 0 .. 15
//   dot_small(acc, u, s)           acc + sum of 4 products, u in [0, 31], s in [-127, 127]
//   dot_offset(acc, u, s)          acc + sum of 4 products of (u - 128 + kDotOffset) and s: what is
//                                  cheapest to have for any byte u; the caller corrects for
//                                  kDotOffset
//   lane_bytes<b>(v)               byte b of each dword, sign-extended
//   load_f16                       kLanes float16
//   store_i8(p, v)                 the nearest int8, saturating
//   fused(a, b, c)                 a * b + c rounded once in every tier
namespace hades::HADES_ISA {

#if defined(HADES_TIER_AVX512)

struct Bytes {
    __m512i v;
};
HADES_INLINE Bytes load_bytes(const void* p) { return {_mm512_loadu_si512(p)}; }
HADES_INLINE void store_bytes(void* p, Bytes a) { _mm512_storeu_si512(p, a.v); }
HADES_INLINE __mmask64 first_bytes(int n) {
    return _bzhi_u64(~uint64_t{0}, static_cast<uint32_t>(n));
}
HADES_INLINE Bytes load_bytes_n(const void* p, int n) {
    return {_mm512_maskz_loadu_epi8(first_bytes(n), p)};
}
HADES_INLINE void store_bytes_n(void* p, Bytes a, int n) {
    _mm512_mask_storeu_epi8(p, first_bytes(n), a.v);
}
HADES_INLINE Bytes max_u8(Bytes a, Bytes b) { return {_mm512_max_epu8(a.v, b.v)}; }
HADES_INLINE Bytes dword(const void* p) {
    int32_t bits;
    memcpy(&bits, p, sizeof bits);
    return {_mm512_set1_epi32(bits)};
}
HADES_INLINE Bytes low_nibbles(Bytes a) { return {_mm512_and_si512(a.v, _mm512_set1_epi8(0x0f))}; }
HADES_INLINE Bytes high_nibbles(Bytes a) {
    return {_mm512_and_si512(_mm512_srli_epi16(a.v, 4), _mm512_set1_epi8(0x0f))};
}
HADES_INLINE Bytes lookup(const uint8_t* table, Bytes a) {
    const __m128i entries = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    return {_mm512_shuffle_epi8(_mm512_broadcast_i32x4(entries), a.v)};
}
HADES_INLINE Bytes exclusive_or(Bytes a, Bytes b) { return {_mm512_xor_si512(a.v, b.v)}; }
HADES_INLINE Bytes subtract_signed(Bytes a, Bytes b) { return {_mm512_subs_epi8(a.v, b.v)}; }
HADES_INLINE Bytes broadcast_byte(uint8_t b) { return {_mm512_set1_epi8(static_cast<char>(b))}; }
HADES_INLINE Bytes toggle_high_bits(Bytes a) {
    return {_mm512_xor_si512(a.v, _mm512_set1_epi8(static_cast<char>(0x80)))};
}
constexpr int kDotOffset = 128;
#if defined(HADES_TIER_VNNI)
HADES_INLINE I32 dot_small(I32 acc, Bytes u, Bytes s) {
#if defined(HADES_EMULATED)
    return {_mm512_dpbusd_epi32(acc.v, u.v, s.v)};
#else
    // GCC 12 spills every accumulator around the intrinsic.
    asm("vpdpbusd %2, %1, %0" : "+v"(acc.v) : "v"(u.v), "v"(s.v));
    return acc;
#endif
}
HADES_INLINE I32 dot_offset(I32 acc, Bytes u, Bytes s) { return dot_small(acc, u, s); }
#endif
HADES_INLINE F32 load_f16(const uint16_t* p) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
HADES_INLINE void store_i8(int8_t* p, F32 a) {
    const __m128i bytes = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(a.v));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}
HADES_INLINE I32 load_u8_i32(const uint8_t* p) {
    return {_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
HADES_INLINE I32 as_i32(Bytes a) { return {a.v}; }
HADES_INLINE F32 fused(F32 a, F32 b, F32 c) { return fma(a, b, c); }

#elif defined(HADES_TIER_AVX2)

struct Bytes {
    __m256i v;
};
HADES_INLINE Bytes load_bytes(const void* p) {
    return {_mm256_loadu_si256(static_cast<const __m256i*>(p))};
}
HADES_INLINE void store_bytes(void* p, Bytes a) {
    _mm256_storeu_si256(static_cast<__m256i*>(p), a.v);
}
HADES_INLINE Bytes load_bytes_n(const void* p, int n) {
    const auto* half = static_cast<const __m128i*>(p);
    if (n == 16) return {_mm256_castsi128_si256(_mm_loadu_si128(half))};
    if (n == 8) return {_mm256_castsi128_si256(_mm_loadl_epi64(half))};
    uint8_t bytes[32] = {};
    memcpy(bytes, p, static_cast<size_t>(n));
    return load_bytes(bytes);
}
HADES_INLINE void store_bytes_n(void* p, Bytes a, int n) {
    auto* half = static_cast<__m128i*>(p);
    if (n == 16) return _mm_storeu_si128(half, _mm256_castsi256_si128(a.v));
    if (n == 8) return _mm_storel_epi64(half, _mm256_castsi256_si128(a.v));
    uint8_t bytes[32];
    store_bytes(bytes, a);
    memcpy(p, bytes, static_cast<size_t>(n));
}
HADES_INLINE Bytes max_u8(Bytes a, Bytes b) { return {_mm256_max_epu8(a.v, b.v)}; }
HADES_INLINE Bytes dword(const void* p) {
    int32_t bits;
    memcpy(&bits, p, sizeof bits);
    return {_mm256_set1_epi32(bits)};
}
HADES_INLINE Bytes low_nibbles(Bytes a) { return {_mm256_and_si256(a.v, _mm256_set1_epi8(0x0f))}; }
HADES_INLINE Bytes high_nibbles(Bytes a) {
    return {_mm256_and_si256(_mm256_srli_epi16(a.v, 4), _mm256_set1_epi8(0x0f))};
}
HADES_INLINE Bytes lookup(const uint8_t* table, Bytes a) {
    const __m128i entries = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    return {_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(entries), a.v)};
}
HADES_INLINE Bytes exclusive_or(Bytes a, Bytes b) { return {_mm256_xor_si256(a.v, b.v)}; }
HADES_INLINE Bytes subtract_signed(Bytes a, Bytes b) { return {_mm256_subs_epi8(a.v, b.v)}; }
HADES_INLINE Bytes broadcast_byte(uint8_t b) { return {_mm256_set1_epi8(static_cast<char>(b))}; }
HADES_INLINE Bytes toggle_high_bits(Bytes a) {
    return {_mm256_xor_si256(a.v, _mm256_set1_epi8(static_cast<char>(0x80)))};
}
constexpr int kDotOffset = 0;
HADES_INLINE I32 dot_pairs(I32 acc, __m256i u, __m256i s) {
    const __m256i pairs = _mm256_maddubs_epi16(u, s);
    return {_mm256_add_epi32(acc.v, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))};
}
// 2 * 31 * 127 and 2 * 128 * 127 are below 2^15: the pairs never saturate.
HADES_INLINE I32 dot_small(I32 acc, Bytes u, Bytes s) { return dot_pairs(acc, u.v, s.v); }
HADES_INLINE I32 dot_offset(I32 acc, Bytes u, Bytes s) {
    const __m256i weight = toggle_high_bits(u).v;
    return dot_pairs(acc, _mm256_abs_epi8(weight), _mm256_sign_epi8(s.v, weight));
}
HADES_INLINE F32 load_f16(const uint16_t* p) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
HADES_INLINE void store_i8(int8_t* p, F32 a) {
    const __m256i dwords = _mm256_cvtps_epi32(a.v);
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(dwords), _mm256_extracti128_si256(dwords, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words, words));
}
HADES_INLINE I32 load_u8_i32(const uint8_t* p) {
    return {_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)))};
}
HADES_INLINE I32 as_i32(Bytes a) { return {a.v}; }
HADES_INLINE F32 fused(F32 a, F32 b, F32 c) { return fma(a, b, c); }

#else

struct Bytes {
    uint8_t v[4];
};
HADES_INLINE Bytes load_bytes(const void* p) {
    Bytes bytes;
    memcpy(bytes.v, p, sizeof bytes.v);
    return bytes;
}
HADES_INLINE void store_bytes(void* p, Bytes a) { memcpy(p, a.v, sizeof a.v); }
HADES_INLINE Bytes load_bytes_n(const void* p, int n) {
    Bytes bytes = {};
    memcpy(bytes.v, p, static_cast<size_t>(n));
    return bytes;
}
HADES_INLINE void store_bytes_n(void* p, Bytes a, int n) { memcpy(p, a.v, static_cast<size_t>(n)); }
HADES_INLINE Bytes max_u8(Bytes a, Bytes b) {
    for (int i = 0; i < 4; ++i) a.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];
    return a;
}
HADES_INLINE Bytes dword(const void* p) { return load_bytes(p); }
HADES_INLINE Bytes low_nibbles(Bytes a) {
    for (uint8_t& byte : a.v) byte &= 0x0f;
    return a;
}
HADES_INLINE Bytes high_nibbles(Bytes a) {
    for (uint8_t& byte : a.v) byte >>= 4;
    return a;
}
HADES_INLINE Bytes lookup(const uint8_t* table, Bytes a) {
    for (uint8_t& byte : a.v) byte = table[byte];
    return a;
}
HADES_INLINE Bytes toggle_high_bits(Bytes a) {
    for (uint8_t& byte : a.v) byte ^= 0x80;
    return a;
}
constexpr int kDotOffset = 128;
HADES_INLINE I32 dot_small(I32 acc, Bytes u, Bytes s) {
    for (int i = 0; i < 4; ++i) acc.v += int32_t{u.v[i]} * static_cast<int8_t>(s.v[i]);
    return acc;
}
HADES_INLINE I32 dot_offset(I32 acc, Bytes u, Bytes s) { return dot_small(acc, u, s); }
HADES_INLINE F32 load_f16(const uint16_t* p) { return {to_float(Float16{*p})}; }
HADES_INLINE void store_i8(int8_t* p, F32 a) {
    const int32_t rounded = to_i32(a).v;
    *p = static_cast<int8_t>(rounded < -128 ? -128 : rounded > 127 ? 127 : rounded);
}
HADES_INLINE I32 load_u8_i32(const uint8_t* p) { return {*p}; }
HADES_INLINE I32 as_i32(Bytes a) {
    I32 dwords;
    memcpy(&dwords.v, a.v, sizeof dwords.v);
    return dwords;
}
// Slow, but what the others compute.
HADES_INLINE F32 fused(F32 a, F32 b, F32 c) { return {__builtin_fmaf(a.v, b.v, c.v)}; }

#endif

template <int b>
HADES_INLINE I32 lane_bytes(Bytes a) {
    return shift_right<24>(shift_left<24 - 8 * b>(as_i32(a)));
}

HADES_INLINE void prefetch(const void* p) { __builtin_prefetch(p); }

}  // namespace hades::HADES_ISA
