#pragma once
#include "formats/q8_row.h"
#include "kernels/qgemm/qgemm_stretch.h"
#include "simd/word_sums.h"

// A few rows of activations times a stretch of a few tiles, one dot product of bytes per four
// columns.
//
// Weights are unsigned bytes w + offset; a dot product starts at -offset * (sum of the
// activations), which undoes the offset exactly. With 16 lanes kWide rows times kTileStep tiles are
// 12 integer and 12 float accumulators, 2 vectors of weights and one of activations, 27 of 32
// registers. With 8 lanes and 16 registers, the halves of a tile take turns, and only the floats of
// the other half wait in memory.
namespace hades::HADES_ISA {

constexpr int kWide = kLanes == 1 ? 1 : 6;
constexpr int kTileStep = kRegisters >= 32 ? 2 : 1;

template <class Format>
HADES_INLINE I32 dot(I32 acc, Bytes weight, Bytes activation) {
    if constexpr (kIsSmall<Format>) return dot_small(acc, weight, activation);
    return dot_offset(acc, weight, activation);
}

template <class Format>
HADES_INLINE I32 start_of_dot(const uint8_t* sum_of_activations) {
    return set1(-Format::kOffset * *reinterpret_cast<const int32_t*>(sum_of_activations));
}

// Where the rows are read: int8 values and their sum, at these distances from their begin.
struct RowsAt {
    const uint8_t* const* row;
    int64_t values, sum;
};

// The dot products of part h of a block; `keep` takes the decoded weights.
template <class Format, int kRows, int kTiles, class Keep>
HADES_INLINE void dots_of_part(const uint8_t* block, int64_t tile_bytes, int h, const RowsAt& at,
                               const Keep& keep, I32 (&dots)[kRows][kTiles]) {
    for (int r = 0; r < kRows; ++r)
        for (int t = 0; t < kTiles; ++t) dots[r][t] = start_of_dot<Format>(at.row[r] + at.sum);
#pragma GCC unroll 8
    for (int g = 0; g < kGroups; ++g) {
        Bytes weight_of[kTiles];
        for (int t = 0; t < kTiles; ++t) {
            weight_of[t] = weights<Format>(block + t * tile_bytes, g, h);
            keep.values(t, g, h, weight_of[t]);
        }
        for (int r = 0; r < kRows; ++r) {
            const Bytes activation = dword(at.row[r] + at.values + 4 * g);
            for (int t = 0; t < kTiles; ++t)
                dots[r][t] = dot<Format>(dots[r][t], weight_of[t], activation);
        }
    }
}

#if defined(HADES_WORD_SUMS)
// The same with sums of words: sums of two products are at most 2 * 24 * 127 and four of them fit
// 16 bits, with 15 instead of 24 eight.
template <class Format, int kRows, int kTiles>
HADES_INLINE void small_dots_of_part(const uint8_t* block, int64_t tile_bytes, int h,
                                     const RowsAt& at, I32 (&dots)[kRows][kTiles]) {
    constexpr int kTogether = Format::kFormat == WeightFormat::mxfp4 ? 4 : 8;
#pragma GCC unroll 2
    for (int first = 0; first < kGroups; first += kTogether) {
        Words sums[kRows][kTiles];
#pragma GCC unroll 8
        for (int g = first; g < first + kTogether; ++g)
            for (int t = 0; t < kTiles; ++t) {
                const Bytes weight = weights<Format>(block + t * tile_bytes, g, h);
                for (int r = 0; r < kRows; ++r) {
                    const Bytes activation = dword(at.row[r] + at.values + 4 * g);
                    if (g == first)
                        sums[r][t] = products(weight, activation);
                    else
                        add_products(sums[r][t], weight, activation);
                }
            }
        for (int r = 0; r < kRows; ++r)
            for (int t = 0; t < kTiles; ++t)
                dots[r][t] = (first ? dots[r][t] : start_of_dot<Format>(at.row[r] + at.sum)) +
                             sum_pairs(sums[r][t]);
    }
}
#endif

// Decoded weights are for this product only.
struct Forget {
    static constexpr int kFewestRows = 1;
    HADES_INLINE void values(int, int, int, Bytes) {}
    HADES_INLINE void scales(int, int, F32) {}
    HADES_INLINE void next_block() {}
};

// acc [kRows][kTiles * 16] += rows times tiles, or is set to it by the first stretch.
template <class Format, int kRows, int kTiles, class Keep>
__attribute__((noinline)) static void multiply(const Stretch& s, const Ahead& ahead,
                                               const uint8_t* const* rows, float* acc,
                                               int64_t acc_stride, Keep keep) {
    constexpr int64_t kStep = kIsPanel<Format> ? kTiles * kBlockBytes<Format> : kBlockBytes<Format>;
    const int64_t tile_bytes = kIsPanel<Format> ? kBlockBytes<Format> : s.tile_bytes;
    const uint8_t* row[kRows];
    for (int r = 0; r < kRows; ++r) row[r] = rows[r];
    F32 total[kRows][kTiles][kParts];
    for (int r = 0; r < kRows; ++r)
        for (int t = 0; t < kTiles; ++t)
            for (int h = 0; h < kParts; ++h)
                total[r][t][h] =
                    s.first ? load(acc + r * acc_stride + t * kTileRows + h * kLanes) : zero();
    // Offsets in all rows alike: more pointers than registers would be loaded again and again.
    int64_t values = s.first * kBlock;
    int64_t scale = q8_scales_at(s.k) + 4 * s.first, sum = q8_sums_at(s.k) + 4 * s.first;
    const uint8_t* block = s.weights;
    for (int64_t b = 0; b < s.blocks; ++b, block += kStep) {
        prefetch_ahead<Format, kTiles>(ahead, s, b);
#pragma GCC unroll 2
        for (int h = 0; h < kParts; ++h) {
            // Activations kept from the other part would push out sums.
            if constexpr (kParts > 1 && kRows > 2) asm volatile("" ::: "memory");
            I32 dots[kRows][kTiles];
#if defined(HADES_WORD_SUMS)
            if constexpr (kIsSmall<Format>)
                small_dots_of_part<Format, kRows, kTiles>(block, tile_bytes, h, {row, values, sum},
                                                          dots);
            else
#endif
                dots_of_part<Format, kRows, kTiles>(block, tile_bytes, h, {row, values, sum}, keep,
                                                    dots);
            for (int t = 0; t < kTiles; ++t) {
                const F32 scales = Format::scales(block + t * tile_bytes, h);
                keep.scales(t, h, scales);
                for (int r = 0; r < kRows; ++r)
                    total[r][t][h] =
                        fused(to_f32(dots[r][t]),
                              scales * set1(*reinterpret_cast<const float*>(row[r] + scale)),
                              total[r][t][h]);
            }
        }
        keep.next_block();
        values += kBlock;
        scale += 4;
        sum += 4;
    }
    for (int r = 0; r < kRows; ++r)
        for (int t = 0; t < kTiles; ++t)
            for (int h = 0; h < kParts; ++h)
                store(acc + r * acc_stride + t * kTileRows + h * kLanes, total[r][t][h]);
}

// Rows [i, i + count) times kTiles tiles, `tile` of a and the next.
template <class Format, int kTiles, class Keep = Forget, int kRows = kWide>
HADES_INLINE void some_rows(const QgemmTilesArgs& a, const Stretch& s, const Ahead& ahead,
                            int64_t tile, int64_t i, int64_t count, Keep keep = {}) {
    if (count == kRows) {
        const uint8_t* rows[kRows];
        for (int r = 0; r < kRows; ++r) rows[r] = row_at(a, i + r);
        multiply<Format, kRows, kTiles, Keep>(s, ahead, rows, acc_at(a, i, tile), acc_stride(a),
                                              keep);
    } else if constexpr (kRows > Keep::kFewestRows) {
        some_rows<Format, kTiles, Keep, kRows - 1>(a, s, ahead, tile, i, count, keep);
    }
}

// All rows, in groups of nearly equal size, the first of which are done.
template <class Format, int kTiles>
static void all_rows(const QgemmTilesArgs& a, const Stretch& s, const uint8_t* next_tiles,
                     int64_t tile, int64_t done = 0) {
    const int64_t groups = ceil_div(a.m, kWide);
    for (int64_t g = done; g < groups; ++g) {
        const int64_t i = a.m * g / groups;
        const Ahead ahead = ahead_of_group<Format, kTiles>(s, next_tiles, g, groups);
        some_rows<Format, kTiles>(a, s, ahead, tile, i, a.m * (g + 1) / groups - i);
    }
}

}  // namespace hades::HADES_ISA
