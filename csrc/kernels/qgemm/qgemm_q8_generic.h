#pragma once
#include "kernels/qgemm/qgemm_epilogue.h"
#include "simd/word_sums.h"
#if defined(HADES_WORD_SUMS)
#include "kernels/qgemm/qgemm_panel_words_generic.h"
#else
#include "kernels/qgemm/qgemm_panel_dots_generic.h"
#endif

// Quantised weights times quantised activations.
//
// One row of activations streams the weights from memory, a few decode them on their way. From
// kPanelRows rows on, if ever, they are decoded once into a panel, a stretch of columns at a time.
namespace hades::HADES_ISA {

// So few rows wait for memory, which gives one stream faster than two.
constexpr int64_t kRowsOfOneStream = 3;

template <class Format, int kTiles>
static void times_panel(const QgemmTilesArgs& a, const uint8_t* weights, int64_t tile) {
    static_assert(kTiles * kPanelStretch * kBlockBytes<Panel<Format>> <= kPanelBytes);
    const int64_t blocks = a.k / kBlock, stretches = ceil_div(blocks, kPanelStretch);
    for (int64_t i = 0; i < stretches; ++i) {
        const int64_t first = blocks * i / stretches, end = blocks * (i + 1) / stretches;
        const uint8_t* from = weights + first * kBlockBytes<Format>;
        const uint8_t* next =
            weights + (end < blocks ? end * kBlockBytes<Format> : kTiles * a.tile_bytes);
        times_stretch<Format, kTiles>(a, {from, a.tile_bytes, first, end - first, a.k}, next, tile);
    }
}

template <class Format, int kTiles>
HADES_INLINE void some_tiles(const QgemmTilesArgs& a, int64_t tile) {
    const uint8_t* weights = a.weight + tile * a.tile_bytes + tile_header_bytes(Format::kFormat);
    if (kPanelRows<Format> != kNoPanel && a.m >= kPanelRows<Format>)
        times_panel<Format, kTiles>(a, weights, tile);
    else if constexpr (kTiles <= kTileStep)
        all_rows<Format, kTiles>(a, {weights, a.tile_bytes, 0, a.k / kBlock, a.k},
                                 weights + kTiles * a.tile_bytes, tile);
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
    const int64_t step = a.m >= kPanelRows<Format> ? kPanelTiles
                         : a.m > kRowsOfOneStream  ? kTileStep
                                                   : 1;
    int64_t tile = 0;
    for (; step > 1 && tile + step <= a.tiles; tile += step)
        some_tiles<Format, kPanelTiles>(a, tile);
    for (; tile < a.tiles; ++tile) some_tiles<Format, 1>(a, tile);
    if (Format::kFormat == WeightFormat::int8_row) scale_rows(a);
    finish(a);
}

void qgemm_mxfp4_q8(const QgemmTilesArgs& a) { times_tiles<Mxfp4>(a); }
void qgemm_int4_g32_q8(const QgemmTilesArgs& a) { times_tiles<Int4G32>(a); }
void qgemm_int8_g32_q8(const QgemmTilesArgs& a) { times_tiles<Int8G32>(a); }
void qgemm_int8_row_q8(const QgemmTilesArgs& a) { times_tiles<Int8Row>(a); }

}  // namespace hades::HADES_ISA
