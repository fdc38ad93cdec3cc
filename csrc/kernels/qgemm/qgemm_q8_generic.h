#pragma once
#include "base/rounding.h"
#include "formats/q8_row.h"
#include "kernels/qgemm/qgemm_epilogue.h"
#include "kernels/qgemm/qgemm_formats.h"

// Quantised weights times quantised activations.
//
// Weights are unsigned bytes w + offset, so that a dot product is one vpdpbusd per four columns; it
// starts at -offset * (sum of the activations), which undoes the offset exactly. The micro-kernel
// holds kWide rows of activations times kTileStep tiles: with 16 lanes 12 integer and 12 float
// accumulators, 2 vectors of weights and one of activations, 27 of 32 registers, over all columns.
// One row of activations streams the weights from memory, a few decode them on their way; from
// kPanelRows rows on, they are decoded once into a panel of aligned bytes that stays in the
// second-level cache for all rows.
namespace hades::HADES_ISA {

constexpr int kWide = kLanes == 1 ? 1 : kRegisters >= 32 ? 6 : 4;
constexpr int kTileStep = kRegisters >= 32 ? 2 : 1;
static_assert(kTileStep <= kPanelTiles);
constexpr int64_t kPanelRows = 32;
constexpr int64_t kPrefetchAhead = 6144;

HADES_INLINE const uint8_t* row_at(const QgemmTilesArgs& a, int64_t i) {
    return a.a + (a.index ? a.index[i] : i) * a.a_row_bytes;
}

template <class Format>
HADES_INLINE I32 dot(I32 acc, Bytes weight, Bytes activation) {
    if constexpr (kIsSmall<Format>) return dot_small(acc, weight, activation);
    return dot_offset(acc, weight, activation);
}

// Tiles next to each other, packed or in a panel.
struct Weights {
    const uint8_t* first;
    int64_t tile_bytes, k;
};

// kRows rows times kTiles tiles, from memory if they stream.
template <class Format, int kRows, int kTiles>
__attribute__((noinline)) static void multiply(const Weights& w, const uint8_t* const* rows,
                                               bool is_stream, float* acc, int64_t acc_stride) {
    const uint8_t* row[kRows];
    for (int r = 0; r < kRows; ++r) row[r] = rows[r];
    F32 total[kRows][kTiles][kParts];
    for (int r = 0; r < kRows; ++r)
        for (int t = 0; t < kTiles; ++t)
            for (int h = 0; h < kParts; ++h) total[r][t][h] = zero();
    // Offsets in all rows alike: more pointers than registers would be loaded again and again.
    int64_t values = 0, scale = q8_scales_at(w.k), sum = q8_sums_at(w.k);
    for (int64_t b = 0; b < w.k / kBlock; ++b, values += kBlock, scale += 4, sum += 4) {
        const uint8_t* block = w.first + b * kBlockBytes<Format>;
        if (is_stream)
            for (int t = 0; t < kTiles; ++t)
                for (int64_t line = 0; line < kBlockBytes<Format>; line += 64)
                    prefetch(block + t * w.tile_bytes + kPrefetchAhead / kTiles + line);
        I32 dots[kRows][kTiles][kParts];
        for (int r = 0; r < kRows; ++r) {
            const I32 start =
                set1(-Format::kOffset * *reinterpret_cast<const int32_t*>(row[r] + sum));
            for (int t = 0; t < kTiles; ++t)
                for (int h = 0; h < kParts; ++h) dots[r][t][h] = start;
        }
#pragma GCC unroll 8
        for (int g = 0; g < kGroups; ++g) {
            Bytes weight_of[kTiles][kParts];
            for (int t = 0; t < kTiles; ++t)
                for (int h = 0; h < kParts; ++h)
                    weight_of[t][h] = weights<Format>(block + t * w.tile_bytes, g, h);
            for (int r = 0; r < kRows; ++r) {
                const Bytes activation = dword(row[r] + values + 4 * g);
                for (int t = 0; t < kTiles; ++t)
                    for (int h = 0; h < kParts; ++h)
                        dots[r][t][h] = dot<Format>(dots[r][t][h], weight_of[t][h], activation);
            }
        }
        for (int t = 0; t < kTiles; ++t)
            for (int h = 0; h < kParts; ++h) {
                const F32 scales = Format::scales(block + t * w.tile_bytes, h);
                for (int r = 0; r < kRows; ++r)
                    total[r][t][h] =
                        fused(to_f32(dots[r][t][h]),
                              scales * set1(*reinterpret_cast<const float*>(row[r] + scale)),
                              total[r][t][h]);
            }
    }
    for (int r = 0; r < kRows; ++r)
        for (int t = 0; t < kTiles; ++t)
            for (int h = 0; h < kParts; ++h)
                store(acc + r * acc_stride + t * kTileRows + h * kLanes, total[r][t][h]);
}

// Rows [i, i + count) times kTiles tiles, `tile` of a and the next.
template <class Format, int kTiles, int kRows = kWide>
HADES_INLINE void some_rows(const QgemmTilesArgs& a, const Weights& w, int64_t tile, int64_t i,
                            int64_t count) {
    if (count == kRows) {
        const uint8_t* rows[kRows];
        for (int r = 0; r < kRows; ++r) rows[r] = row_at(a, i + r);
        const int64_t stride = a.tiles * kTileRows;
        float* acc = a.acc + i * stride + tile * kTileRows;
        multiply<Format, kRows, kTiles>(w, rows, !kIsPanel<Format> && i == 0, acc, stride);
    } else if constexpr (kRows > 1) {
        some_rows<Format, kTiles, kRows - 1>(a, w, tile, i, count);
    }
}

// All rows, in groups of nearly equal size.
template <class Format, int kTiles>
static void all_rows(const QgemmTilesArgs& a, const Weights& w, int64_t tile) {
    const int64_t groups = ceil_div(a.m, kWide);
    for (int64_t g = 0; g < groups; ++g) {
        const int64_t i = a.m * g / groups;
        some_rows<Format, kTiles>(a, w, tile, i, a.m * (g + 1) / groups - i);
    }
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

template <class Format, int kTiles>
static void times_panel(const QgemmTilesArgs& a, const Weights& w, int64_t tile) {
    const int64_t blocks = w.k / kBlock, panel_tile_bytes = blocks * kBlockBytes<Panel<Format>>;
    for (int t = 0; t < kTiles; ++t)
        for (int64_t b = 0; b < blocks; ++b)
            decode_block<Format>(w.first + t * w.tile_bytes + b * kBlockBytes<Format>,
                                 a.panel + t * panel_tile_bytes + b * kBlockBytes<Panel<Format>>);
    all_rows<Panel<Format>, kTiles>(a, {a.panel, panel_tile_bytes, a.k}, tile);
}

template <class Format, int kTiles>
HADES_INLINE void some_tiles(const QgemmTilesArgs& a, int64_t tile) {
    const uint8_t* first = a.weight + tile * a.tile_bytes + tile_header_bytes(Format::kFormat);
    const Weights w = {first, a.tile_bytes, a.k};
    if (a.m >= kPanelRows)
        times_panel<Format, kTiles>(a, w, tile);
    else
        all_rows<Format, kTiles>(a, w, tile);
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
    const int64_t step = a.m > 1 ? kTileStep : 1;  // one row reads one stream of memory
    int64_t tile = 0;
    for (; tile + step <= a.tiles && step > 1; tile += step) some_tiles<Format, kTileStep>(a, tile);
    for (; tile < a.tiles; ++tile) some_tiles<Format, 1>(a, tile);
    if (Format::kFormat == WeightFormat::int8_row) scale_rows(a);
    finish(a);
}

void qgemm_mxfp4_q8(const QgemmTilesArgs& a) { times_tiles<Mxfp4>(a); }
void qgemm_int4_g32_q8(const QgemmTilesArgs& a) { times_tiles<Int4G32>(a); }
void qgemm_int8_g32_q8(const QgemmTilesArgs& a) { times_tiles<Int8G32>(a); }
void qgemm_int8_row_q8(const QgemmTilesArgs& a) { times_tiles<Int8Row>(a); }

}  // namespace hades::HADES_ISA
