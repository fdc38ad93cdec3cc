#pragma once
#include "formats/q8_row.h"
#include "kernels/qgemm/qgemm_epilogue.h"
#include "kernels/qgemm/qgemm_formats.h"

// Quantised weights times quantised activations.
//
// Weights are unsigned bytes w + offset, so that a dot product is one vpdpbusd per four columns; it
// starts at -offset * (sum of the activations), which undoes the offset exactly. The micro-kernel
// holds kWide rows of activations times kTileStep tiles: with 16 lanes 12 integer and 12 float
// accumulators, 4 vectors of weights and one of activations, 29 of 32 registers. Broadcasting an
// activation takes a port that the products need, so few rows by many tiles are better than the
// other way round.
// One row of activations streams the weights from memory; from kPanelRows rows on, they are
// decoded once into a panel of aligned bytes that stays in the L1 cache for all rows.
namespace hades::HADES_ISA {

#if defined(HADES_TIER_AVX512)
constexpr int kWide = 3, kTileStep = 4;
#elif defined(HADES_TIER_AVX2)
constexpr int kWide = 4, kTileStep = 1;
#else
constexpr int kWide = 1, kTileStep = 1;
#endif
constexpr int64_t kPanelRows = 4;
constexpr int64_t kPrefetchAhead = 6144;

struct ActivationRow {
    const int8_t* values;
    const float* scales;
    const int32_t* sums;
};

HADES_INLINE ActivationRow row_at(const QgemmTilesArgs& a, int64_t i, int64_t block) {
    const uint8_t* row = a.a + (a.index ? a.index[i] : i) * a.a_row_bytes;
    return {q8_values(row) + block * kBlock, q8_scales(row, a.k) + block,
            q8_sums(row, a.k) + block};
}

template <class Format>
HADES_INLINE I32 dot(I32 acc, Bytes weight, Bytes activation) {
    if constexpr (kIsSmall<Format>) return dot_small(acc, weight, activation);
    return dot_offset(acc, weight, activation);
}

// Adds `blocks` blocks of kRows rows times kTiles tiles to acc; the first time it sets acc.
template <class Format, int kRows, int kTiles>
__attribute__((noinline)) static void accumulate(const uint8_t* weight, int64_t tile_bytes,
                                                 int64_t blocks, const ActivationRow* rows,
                                                 bool is_first, float* acc, int64_t acc_stride) {
    F32 total[kRows][kTiles][kParts];
    for (int r = 0; r < kRows; ++r)
        for (int t = 0; t < kTiles; ++t)
            for (int h = 0; h < kParts; ++h)
                total[r][t][h] =
                    is_first ? zero() : load(acc + r * acc_stride + t * kTileRows + h * kLanes);
    for (int64_t b = 0; b < blocks; ++b) {
        const uint8_t* block = weight + b * kBlockBytes<Format>;
        if constexpr (kRows == 1)
            for (int64_t line = 0; line < kBlockBytes<Format>; line += 64)
                prefetch(block + kPrefetchAhead + line);
        I32 dots[kRows][kTiles][kParts];
        for (int r = 0; r < kRows; ++r) {
            const I32 start = set1(-Format::kOffset * rows[r].sums[b]);
            for (int t = 0; t < kTiles; ++t)
                for (int h = 0; h < kParts; ++h) dots[r][t][h] = start;
        }
#pragma GCC unroll 8
        for (int g = 0; g < kGroups; ++g) {
            Bytes weight_of[kTiles][kParts];
            for (int t = 0; t < kTiles; ++t)
                for (int h = 0; h < kParts; ++h)
                    weight_of[t][h] = weights<Format>(block + t * tile_bytes, g, h);
            for (int r = 0; r < kRows; ++r) {
                const Bytes activation = dword(rows[r].values + b * kBlock + 4 * g);
                for (int t = 0; t < kTiles; ++t)
                    for (int h = 0; h < kParts; ++h)
                        dots[r][t][h] = dot<Format>(dots[r][t][h], weight_of[t][h], activation);
            }
        }
        for (int t = 0; t < kTiles; ++t)
            for (int h = 0; h < kParts; ++h) {
                const F32 scales = Format::scales(block + t * tile_bytes, h);
                for (int r = 0; r < kRows; ++r)
                    total[r][t][h] = fused(to_f32(dots[r][t][h]), scales * set1(rows[r].scales[b]),
                                           total[r][t][h]);
            }
    }
    for (int r = 0; r < kRows; ++r)
        for (int t = 0; t < kTiles; ++t)
            for (int h = 0; h < kParts; ++h)
                store(acc + r * acc_stride + t * kTileRows + h * kLanes, total[r][t][h]);
}

// Some blocks of the tiles, in place or in a panel.
struct Weights {
    const uint8_t* first;
    int64_t tile_bytes, blocks, first_block;
};

template <class Format, int kRows>
HADES_INLINE void rows_times_tiles(const QgemmTilesArgs& a, const Weights& w, int64_t i) {
    ActivationRow rows[kRows];
    for (int r = 0; r < kRows; ++r) rows[r] = row_at(a, i + r, w.first_block);
    const int64_t stride = a.tiles * kTileRows;
    float* acc = a.acc + i * stride;
    const bool is_first = w.first_block == 0;
    if (kTileStep > 1 && a.tiles == kTileStep && a.m > 1)
        return accumulate<Format, kRows, kTileStep>(w.first, w.tile_bytes, w.blocks, rows, is_first,
                                                    acc, stride);
    for (int64_t t = 0; t < a.tiles; ++t)
        accumulate<Format, kRows, 1>(w.first + t * w.tile_bytes, w.tile_bytes, w.blocks, rows,
                                     is_first, acc + t * kTileRows, stride);
}

template <class Format>
static void all_rows_times_tiles(const QgemmTilesArgs& a, const Weights& w) {
    int64_t i = 0;
    for (; i + kWide <= a.m; i += kWide) rows_times_tiles<Format, kWide>(a, w, i);
    if (kWide > 2 && i + 2 <= a.m) {
        rows_times_tiles<Format, 2>(a, w, i);
        i += 2;
    }
    for (; i < a.m; ++i) rows_times_tiles<Format, 1>(a, w, i);
}

template <class Format>
HADES_INLINE void decode_block(const uint8_t* block, uint8_t* decoded) {
    for (int h = 0; h < kParts; ++h) {
        store(reinterpret_cast<float*>(decoded) + h * kLanes, Format::scales(block, h));
        uint8_t* values = decoded + Panel<Format>::kValuesAt + h * kVectorBytes;
        for (int g = 0; g < kGroups; ++g)
            store_bytes(values + g * kParts * kVectorBytes, weights<Format>(block, g, h));
    }
}

template <class Format>
static void times_panels(const QgemmTilesArgs& a, const uint8_t* weight, int64_t blocks) {
    constexpr int64_t kPanelTileBytes = kPanelBlocks * kBlockBytes<Panel<Format>>;
    for (int64_t first = 0; first < blocks; first += kPanelBlocks) {
        const int64_t count = blocks - first < kPanelBlocks ? blocks - first : kPanelBlocks;
        for (int64_t t = 0; t < a.tiles; ++t)
            for (int64_t b = 0; b < count; ++b)
                decode_block<Format>(
                    weight + t * a.tile_bytes + (first + b) * kBlockBytes<Format>,
                    a.panel + t * kPanelTileBytes + b * kBlockBytes<Panel<Format>>);
        all_rows_times_tiles<Panel<Format>>(a, {a.panel, kPanelTileBytes, count, first});
    }
}

template <class Format>
static void times_blocks(const QgemmTilesArgs& a, const uint8_t* weight, int64_t blocks) {
    const int64_t step = a.m == 1 ? blocks : kPanelBlocks;
    for (int64_t first = 0; first < blocks; first += step) {
        const int64_t count = blocks - first < step ? blocks - first : step;
        all_rows_times_tiles<Format>(
            a, {weight + first * kBlockBytes<Format>, a.tile_bytes, count, first});
    }
}

static void scale_rows(const QgemmTilesArgs& a) {
    for (int64_t i = 0; i < a.m; ++i)
        for (int64_t t = 0; t < a.tiles; ++t)
            for (int h = 0; h < kParts; ++h) {
                float* acc = a.acc + (i * a.tiles + t) * kTileRows + h * kLanes;
                store(acc, load(acc) * row_scales<Int8Row>(a.weight + t * a.tile_bytes, h));
            }
}

template <class Format>
static void times_tiles(const QgemmTilesArgs& a) {
    const uint8_t* weight = a.weight + tile_header_bytes(Format::kFormat);
    const int64_t blocks = a.k / kBlock;
    if (a.m >= kPanelRows)
        times_panels<Format>(a, weight, blocks);
    else
        times_blocks<Format>(a, weight, blocks);
    if (Format::kFormat == WeightFormat::int8_row) scale_rows(a);
    finish(a);
}

void qgemm_mxfp4_q8(const QgemmTilesArgs& a) { times_tiles<Mxfp4>(a); }
void qgemm_int4_g32_q8(const QgemmTilesArgs& a) { times_tiles<Int4G32>(a); }
void qgemm_int8_g32_q8(const QgemmTilesArgs& a) { times_tiles<Int8G32>(a); }
void qgemm_int8_row_q8(const QgemmTilesArgs& a) { times_tiles<Int8Row>(a); }

}  // namespace hades::HADES_ISA
