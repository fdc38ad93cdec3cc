#pragma once
#include "formats/q8_row.h"
#include "kernels/qgemm/qgemm_stretch.h"

// A few rows of activations times a stretch of a few tiles, one dot product of bytes per four
// columns.
//
// Weights are unsigned bytes w + offset; a dot product starts at -offset * (sum of the
// activations), which undoes the offset exactly. With 16 lanes kWide rows times kTileStep tiles are
// 12 integer and 12 float accumulators, 2 vectors of weights and one of activations, 27 of 32
// registers.
namespace hades::HADES_ISA {

constexpr int kWide = kLanes == 1 ? 1 : kRegisters >= 32 ? 6 : 4;
constexpr int kTileStep = kRegisters >= 32 ? 2 : 1;

template <class Format>
HADES_INLINE I32 dot(I32 acc, Bytes weight, Bytes activation) {
    if constexpr (kIsSmall<Format>) return dot_small(acc, weight, activation);
    return dot_offset(acc, weight, activation);
}

// dots += the weights of a block times activations, `values` bytes into the rows.
template <class Format, int kRows, int kTiles>
HADES_INLINE void add_block(const uint8_t* block, int64_t tile_bytes, const uint8_t* const* row,
                            int64_t values, I32 (&dots)[kRows][kTiles][kParts]) {
#pragma GCC unroll 8
    for (int g = 0; g < kGroups; ++g) {
        Bytes weight_of[kTiles][kParts];
        for (int t = 0; t < kTiles; ++t)
            for (int h = 0; h < kParts; ++h)
                weight_of[t][h] = weights<Format>(block + t * tile_bytes, g, h);
        for (int r = 0; r < kRows; ++r) {
            const Bytes activation = dword(row[r] + values + 4 * g);
            for (int t = 0; t < kTiles; ++t)
                for (int h = 0; h < kParts; ++h)
                    dots[r][t][h] = dot<Format>(dots[r][t][h], weight_of[t][h], activation);
        }
    }
}

// acc [kRows][kTiles * 16] += rows times tiles, or is set to it by the first stretch.
template <class Format, int kRows, int kTiles>
__attribute__((noinline)) static void multiply(const Stretch& s, const Ahead& ahead,
                                               const uint8_t* const* rows, float* acc,
                                               int64_t acc_stride) {
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
        I32 dots[kRows][kTiles][kParts];
        for (int r = 0; r < kRows; ++r) {
            const I32 start =
                set1(-Format::kOffset * *reinterpret_cast<const int32_t*>(row[r] + sum));
            for (int t = 0; t < kTiles; ++t)
                for (int h = 0; h < kParts; ++h) dots[r][t][h] = start;
        }
        add_block<Format, kRows, kTiles>(block, tile_bytes, row, values, dots);
        for (int t = 0; t < kTiles; ++t)
            for (int h = 0; h < kParts; ++h) {
                const F32 scales = Format::scales(block + t * tile_bytes, h);
                for (int r = 0; r < kRows; ++r)
                    total[r][t][h] =
                        fused(to_f32(dots[r][t][h]),
                              scales * set1(*reinterpret_cast<const float*>(row[r] + scale)),
                              total[r][t][h]);
            }
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
template <class Format, int kTiles, int kRows = kWide>
HADES_INLINE void some_rows(const QgemmTilesArgs& a, const Stretch& s, const Ahead& ahead,
                            int64_t tile, int64_t i, int64_t count) {
    if (count == kRows) {
        const uint8_t* rows[kRows];
        for (int r = 0; r < kRows; ++r) rows[r] = row_at(a, i + r);
        multiply<Format, kRows, kTiles>(s, ahead, rows, acc_at(a, i, tile), acc_stride(a));
    } else if constexpr (kRows > 1) {
        some_rows<Format, kTiles, kRows - 1>(a, s, ahead, tile, i, count);
    }
}

// All rows, in groups of nearly equal size.
template <class Format, int kTiles>
static void all_rows(const QgemmTilesArgs& a, const Stretch& s, const uint8_t* next_tiles,
                     int64_t tile) {
    const int64_t groups = ceil_div(a.m, kWide);
    for (int64_t g = 0; g < groups; ++g) {
        const int64_t i = a.m * g / groups;
        const Ahead ahead = ahead_of_group<Format, kTiles>(s, next_tiles, g, groups);
        some_rows<Format, kTiles>(a, s, ahead, tile, i, a.m * (g + 1) / groups - i);
    }
}

}  // namespace hades::HADES_ISA
