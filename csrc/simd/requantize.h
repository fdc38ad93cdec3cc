#pragma once
#include "base/requantize.h"
#include "simd/epilogue.h"
#include "simd/points.h"

// Integer sums to floats and to points of a grid, see base/requantize.h. Every step rounds once, so
// that all tiers give the same bits; costly activations use fused multiply-adds, which the scalar
// tier computes too where HADES_SCALAR_FUSES is defined.
namespace hades::HADES_ISA {

// Rows of sums in memory, `sums_row` apart, of which `columns` count; residual and y are those of
// the first row and column.
struct RequantizeRows {
    const float* factor;
    const float* offset;   // or nullptr
    const void* residual;  // or nullptr
    void* y;
    int64_t residual_row, y_row;  // elements between rows
};

// `elements` further on in bytes or floats.
HADES_INLINE void* advanced(void* base, bool is_bytes, int64_t elements) {
    return static_cast<char*>(base) + elements * (is_bytes ? 1 : int64_t{sizeof(float)});
}
HADES_INLINE const void* advanced(const void* base, bool is_bytes, int64_t elements) {
    return static_cast<const char*>(base) + elements * (is_bytes ? 1 : int64_t{sizeof(float)});
}

// Four vectors of steps within limits as bytes of one vector: of each 128 bits of the first, the
// second, the third and the fourth one, four points. NaN, which no limit catches, gives 0.
// PointStore<V> stores them by pixels of V vectors, of which the last may be partial. Vectors of
// one element have no such order: there V is 1.
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

#else

template <int V>
struct PointStore {
    static constexpr int kPixels = 1;

    F32 zero_point;

    PointStore(int32_t zero, int) : zero_point(set1(static_cast<float>(zero))) {}

    void put(uint8_t* p, int64_t, const F32 (&steps)[4], int) const {
        store_u8(p, round_even(steps[0]) + zero_point);
    }
};

#endif

HADES_INLINE F32 load_lanes(const float* p, int lanes) {
    return lanes == kLanes ? load(p) : load_n(p, lanes);
}

// Through the points of a grid. NaN becomes the lower limit, which is byte 0; adding 0 makes +0 of
// -0, as integers have no other.
HADES_INLINE F32 via_points(const Requantize& r, F32 v) {
    const float zero_point = static_cast<float>(r.via_zero);
    if (r.via_step != 1.0f) v = v / set1(r.via_step);
    v = min(max(v, set1(-zero_point)), set1(255.0f - zero_point));
    return (round_even(v) + zero()) * set1(r.via_scale);
}

// A vector of columns in as many rows as are packed into one vector of bytes: rows from `row` on,
// `count` of which exist.
constexpr int kRowsAtOnce = PointStore<1>::kPixels;

struct Columns {
    int column, lanes;
    F32 factor, offset;
};

HADES_INLINE void store_lanes(float* p, F32 v, int lanes) {
    if (lanes == kLanes)
        store(p, v);
    else
        store_n(p, v, lanes);
}

HADES_INLINE void add_residual(const Requantize& r, const RequantizeRows& to, const Columns& c,
                               int row, int count, F32 (&v)[4]) {
    const F32 zero_point = set1(static_cast<float>(r.residual_zero)),
              scale = set1(r.residual_scale);
#pragma GCC unroll 4
    for (int i = 0; i < kRowsAtOnce; ++i) {
        const int64_t at = (row + (i < count ? i : 0)) * to.residual_row + c.column;
        if (r.residual_is_bytes) {
            const uint8_t* p = static_cast<const uint8_t*>(to.residual) + at;
            v[i] = v[i] + (load_byte_lanes(p, c.lanes) - zero_point) * scale;
        } else {
            v[i] = v[i] + load_lanes(static_cast<const float*>(to.residual) + at, c.lanes);
        }
    }
}

template <Activation kind>
HADES_INLINE void requantize_block(const Requantize& r, const RequantizeRows& to,
                                   const PointStore<1>& points, const int32_t* sums, int sums_row,
                                   const Columns& c, int row, int count) {
    F32 v[4];
#pragma GCC unroll 4
    for (int i = 0; i < kRowsAtOnce; ++i)
        v[i] = to_f32(load(sums + (row + (i < count ? i : 0)) * sums_row + c.column)) * c.factor;
    if (to.offset) {
#pragma GCC unroll 4
        for (int i = 0; i < kRowsAtOnce; ++i) v[i] = v[i] + c.offset;
    }
#pragma GCC unroll 4
    for (int i = 0; i < kRowsAtOnce; ++i) v[i] = apply<kind>(r.epilogue.activation, v[i]);
    if (r.via_step != 0.0f) {
#pragma GCC unroll 4
        for (int i = 0; i < kRowsAtOnce; ++i) v[i] = via_points(r, v[i]);
    }
    if (to.residual) add_residual(r, to, c, row, count, v);
    if (r.epilogue.after.kind != Activation::none) {
#pragma GCC unroll 4
        for (int i = 0; i < kRowsAtOnce; ++i) v[i] = apply(r.epilogue.after, v[i]);
    }
    const int64_t at = row * to.y_row + c.column;
    if (!r.y_is_bytes) {
        for (int i = 0; i < count; ++i)
            store_lanes(static_cast<float*>(to.y) + at + i * to.y_row, v[i], c.lanes);
        return;
    }
    // The limits are integers, so that rounding after them is the same as before.
    const float zero_point = static_cast<float>(r.y_zero);
    const F32 low = set1(-zero_point), high = set1(255.0f - zero_point);
    if (r.y_scale != 1.0f) {
#pragma GCC unroll 4
        for (int i = 0; i < kRowsAtOnce; ++i) v[i] = v[i] / set1(r.y_scale);
    }
#pragma GCC unroll 4
    for (int i = 0; i < kRowsAtOnce; ++i) v[i] = min(high, max(low, v[i]));
    points.put(static_cast<uint8_t*>(to.y) + at, to.y_row, v, count);
}

__attribute__((noinline, unused)) static void requantize_rows(const Requantize& r,
                                                              const RequantizeRows& to,
                                                              const int32_t* sums, int sums_row,
                                                              int rows, int columns) {
    with_activation(r.epilogue.activation.kind, [&](auto kind) {
        for (int column = 0; column < columns; column += kLanes) {
            const int lanes = columns - column < kLanes ? columns - column : kLanes;
            const Columns c = {column, lanes, load_lanes(to.factor + column, lanes),
                               to.offset ? load_lanes(to.offset + column, lanes) : zero()};
            const PointStore<1> points(r.y_zero, lanes);
            for (int row = 0; row < rows; row += kRowsAtOnce) {
                const int count = rows - row < kRowsAtOnce ? rows - row : kRowsAtOnce;
                requantize_block<kind.value>(r, to, points, sums, sums_row, c, row, count);
            }
        }
    });
}

// Where sums only become points within limits, they are finished in registers:
//   point = limit(round_half_even(min(high, max(low, sum * factor))) + zero_point, 0, 255)
// What is monotone may be applied to limits instead of what they limit, and rounds both alike.
struct Limits {
    bool suffice;  // false where there is an offset, a residual, a division, another activation or
                   // grid
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
    Limits limits = {
        r.y_is_bytes && r.y_scale == 1.0f && r.via_step == 0.0f && !to.offset && !to.residual,
        -infinity, infinity, r.y_zero};
    limits.suffice = limits.suffice && add_limits(r.epilogue.activation, &limits) &&
                     add_limits(r.epilogue.after, &limits);
    limits.low = limited(limits.low, -zero_point, 255.0f - zero_point);
    limits.high = limited(limits.high, -zero_point, 255.0f - zero_point);
    return limits;
}

}  // namespace hades::HADES_ISA
