#pragma once
#include "base/requantize.h"
#include "simd/epilogue.h"

// Integer sums to floats and to points of a grid, see base/requantize.h. Every step rounds once, so
// that all tiers give the same bits; costly activations use fused multiply-adds, which the scalar
// tier computes too where HADES_SCALAR_FUSES is defined.
namespace hades::HADES_ISA {

// v / y_scale, rounded and limited; NaN gives 0. The limits are integers, so that rounding after
// them is the same as before.
HADES_INLINE F32 point_of(const Requantize& r, F32 v) {
    const float zero_point = static_cast<float>(r.y_zero);
    if (r.y_scale != 1.0f) v = v / set1(r.y_scale);
    v = min(max(v, set1(-zero_point)), set1(255.0f - zero_point));
    return round_even(v) + set1(zero_point);
}

HADES_INLINE F32 residual_of(const Requantize& r, const uint8_t* p, int lanes) {
    const F32 steps = load_u8_n(p, lanes) - set1(static_cast<float>(r.residual_zero));
    return steps * set1(r.residual_scale);
}

// Rows of sums in memory, `sums_row` apart, of which `columns` count; residual and y are those of
// the first row and column.
struct RequantizeRows {
    const float* factor;
    const float* offset;   // or nullptr
    const void* residual;  // or nullptr
    void* y;
    int64_t residual_row, y_row;  // elements between rows
};

template <Activation kind>
HADES_INLINE void requantize_vector(const Requantize& r, const RequantizeRows& to, I32 sum, int row,
                                    int column, int lanes) {
    F32 v = to_f32(sum) * load_n(to.factor + column, lanes);
    if (to.offset) v = v + load_n(to.offset + column, lanes);
    v = apply<kind>(r.epilogue.activation, v);
    if (to.residual) {
        const int64_t at = row * to.residual_row + column;
        v = v + (r.residual_is_bytes
                     ? residual_of(r, static_cast<const uint8_t*>(to.residual) + at, lanes)
                     : load_n(static_cast<const float*>(to.residual) + at, lanes));
    }
    v = apply(r.epilogue.after, v);
    const int64_t at = row * to.y_row + column;
    if (r.y_is_bytes)
        store_u8_n(static_cast<uint8_t*>(to.y) + at, point_of(r, v), lanes);
    else
        store_n(static_cast<float*>(to.y) + at, v, lanes);
}

// `elements` further on in bytes or floats.
HADES_INLINE void* advanced(void* base, bool is_bytes, int64_t elements) {
    return static_cast<char*>(base) + elements * (is_bytes ? 1 : int64_t{sizeof(float)});
}
HADES_INLINE const void* advanced(const void* base, bool is_bytes, int64_t elements) {
    return static_cast<const char*>(base) + elements * (is_bytes ? 1 : int64_t{sizeof(float)});
}

__attribute__((noinline, unused)) static void requantize_rows(const Requantize& r,
                                                              const RequantizeRows& to,
                                                              const int32_t* sums, int sums_row,
                                                              int rows, int columns) {
    with_activation(r.epilogue.activation.kind, [&](auto kind) {
        for (int row = 0; row < rows; ++row)
            for (int column = 0; column < columns; column += kLanes) {
                const int lanes = columns - column < kLanes ? columns - column : kLanes;
                requantize_vector<kind.value>(r, to, load(sums + row * sums_row + column), row,
                                              column, lanes);
            }
    });
}

// Where sums only become points within limits, they are finished in registers:
//   point = limit(round_half_even(min(high, max(low, sum * factor))) + zero_point, 0, 255)
// What is monotone may be applied to limits instead of what they limit, and rounds both alike.
struct Limits {
    bool suffice;  // false where there is an offset, a residual, a division, another activation
    float low, high;
    int32_t zero_point;
};

HADES_INLINE float limited(float x, float low, float high) {
    const float raised = x > low ? x : low;
    return raised < high ? raised : high;
}

// The limits of one more activation; false where it does something else.
HADES_INLINE bool add_limits(const ActivationParams& activation, Limits* limits) {
    const float infinity = __builtin_inff();
    float low = -infinity, high = infinity;
    if (activation.kind == Activation::relu) {
        low = 0.0f;
    } else if (activation.kind == Activation::clip) {
        low = activation.alpha, high = activation.beta;
    } else if (activation.kind != Activation::none) {
        return false;
    }
    limits->low = limited(limits->low, low, high);
    limits->high = limited(limits->high, low, high);
    return true;
}

HADES_INLINE Limits limits_of(const Requantize& r, const RequantizeRows& to) {
    const float infinity = __builtin_inff(), zero_point = static_cast<float>(r.y_zero);
    Limits limits = {r.y_is_bytes && r.y_scale == 1.0f && !to.offset && !to.residual, -infinity,
                     infinity, r.y_zero};
    limits.suffice = limits.suffice && add_limits(r.epilogue.activation, &limits) &&
                     add_limits(r.epilogue.after, &limits);
    limits.low = limited(limits.low, -zero_point, 255.0f - zero_point);
    limits.high = limited(limits.high, -zero_point, 255.0f - zero_point);
    return limits;
}

// Four vectors of steps within limits as bytes of one vector: of each 128 bits of the first, the
// second, the third and the fourth one, four points. NaN, which no limit catches, gives 0.
// PointStore<V> stores them by pixels of V vectors, of which the last may be partial.
#if defined(HADES_TIER_AVX512)

HADES_INLINE __m512i points_of(const F32 (&steps)[4], __m512i zero_points) {
    const __m512i first =
        _mm512_packs_epi32(_mm512_cvtps_epi32(steps[0].v), _mm512_cvtps_epi32(steps[1].v));
    const __m512i second =
        _mm512_packs_epi32(_mm512_cvtps_epi32(steps[2].v), _mm512_cvtps_epi32(steps[3].v));
    return _mm512_packus_epi16(_mm512_adds_epi16(first, zero_points),
                               _mm512_adds_epi16(second, zero_points));
}

template <int V>
struct PointStore {
    static constexpr int kPixels = 4 / V;  // at once

    __m512i zero_points, order;
    __mmask32 mask;

    PointStore(int32_t zero_point, int last_lanes)
        : zero_points(_mm512_set1_epi16(static_cast<short>(zero_point))),
          order(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)),
          mask(static_cast<__mmask32>((uint64_t{1} << ((V - 1) * kLanes + last_lanes)) - 1)) {}

    // The first `pixels` of kPixels pixels, y_row bytes apart.
    __attribute__((always_inline)) void put(uint8_t* p, int64_t y_row, const F32 (&steps)[4],
                                            int pixels) const {
        const __m512i bytes = _mm512_permutexvar_epi32(order, points_of(steps, zero_points));
        const __m256i low = _mm512_castsi512_si256(bytes);
        if constexpr (V == 2) {
            _mm256_mask_storeu_epi8(p, mask, low);
            if (pixels > 1)
                _mm256_mask_storeu_epi8(p + y_row, mask, _mm512_extracti64x4_epi64(bytes, 1));
        } else {
            const auto half = static_cast<__mmask16>(mask);
            _mm_mask_storeu_epi8(p, half, _mm256_castsi256_si128(low));
            if (pixels > 1) _mm_mask_storeu_epi8(p + y_row, half, _mm256_extracti128_si256(low, 1));
            if (pixels > 2)
                _mm_mask_storeu_epi8(p + 2 * y_row, half, _mm512_extracti32x4_epi32(bytes, 2));
            if (pixels > 3)
                _mm_mask_storeu_epi8(p + 3 * y_row, half, _mm512_extracti32x4_epi32(bytes, 3));
        }
    }
};

#elif defined(HADES_TIER_AVX2)

HADES_INLINE __m256i points_of(const F32 (&steps)[4], __m256i zero_points) {
    const __m256i first =
        _mm256_packs_epi32(_mm256_cvtps_epi32(steps[0].v), _mm256_cvtps_epi32(steps[1].v));
    const __m256i second =
        _mm256_packs_epi32(_mm256_cvtps_epi32(steps[2].v), _mm256_cvtps_epi32(steps[3].v));
    return _mm256_packus_epi16(_mm256_adds_epi16(first, zero_points),
                               _mm256_adds_epi16(second, zero_points));
}

HADES_INLINE void store_some(uint8_t* p, __m128i bytes, int count) {
    uint8_t buffer[16];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(buffer), bytes);
    for (int i = 0; i < count; ++i) p[i] = buffer[i];
}

template <int V>
struct PointStore {
    static constexpr int kPixels = 4 / V;

    __m256i zero_points, order;
    int count;

    PointStore(int32_t zero_point, int last_lanes)
        : zero_points(_mm256_set1_epi16(static_cast<short>(zero_point))),
          order(_mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)),
          count((V - 1) * kLanes + last_lanes) {}

    __attribute__((always_inline)) void put(uint8_t* p, int64_t y_row, const F32 (&steps)[4],
                                            int pixels) const {
        const __m256i bytes = _mm256_permutevar8x32_epi32(points_of(steps, zero_points), order);
        const __m128i halves[] = {_mm256_castsi256_si128(bytes),
                                  _mm256_extracti128_si256(bytes, 1)};
#pragma GCC unroll 4
        for (int pixel = 0; pixel < kPixels; ++pixel) {
            if (pixel >= pixels) break;
            const __m128i whole = halves[V == 2 ? pixel : pixel / 2];
            const __m128i value = V == 1 && pixel % 2 ? _mm_unpackhi_epi64(whole, whole) : whole;
            if (count < V * kLanes)
                store_some(p + pixel * y_row, value, count);
            else if (V == 2)
                _mm_storeu_si128(reinterpret_cast<__m128i*>(p + pixel * y_row), value);
            else
                _mm_storel_epi64(reinterpret_cast<__m128i*>(p + pixel * y_row), value);
        }
    }
};

#endif

}  // namespace hades::HADES_ISA
