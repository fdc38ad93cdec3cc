#pragma once
#include "kernels/qgemm/qgemm_dots_generic.h"

// Weights decoded once for all rows: a block is float32 scales, then byte vectors on cache lines.
// The panel stays in the second-level cache. Weights that are bytes are read where they lie.
namespace hades::HADES_ISA {

constexpr int kPanelTiles = kTileStep;
constexpr int64_t kPanelStretch = 96;
template <class Format>
constexpr int64_t kPanelRows = Format::kIsNibbles ? 24 : kNoPanel;

template <class Format>
struct Panel {
    static constexpr WeightFormat kFormat = Format::kFormat;
    static constexpr bool kIsNibbles = false;
    static constexpr int kValuesAt = kTileRows * 4;
    static constexpr int kOffset = Format::kOffset;
    static constexpr int64_t kBytes = kValuesAt + kTileRows * kBlock;

    HADES_INLINE F32 scales(const uint8_t* block, int part) {
        return load(reinterpret_cast<const float*>(block) + part * kLanes);
    }
};

template <class Format>
constexpr int64_t kBlockBytes<Panel<Format>> = Panel<Format>::kBytes;
template <class Format>
constexpr bool kIsPanel<Panel<Format>> = true;

// The first rows decode the weights, as they would without a panel, and leave them to the others:
// stores take nothing from arithmetic.
template <class Format, int kTiles>
struct KeepInPanel {
    static constexpr int kFewestRows = kWide > 1 ? kWide - 1 : 1;  // of more than kWide^2 - kWide
    uint8_t* block;

    uint8_t* tile(int t) const { return block + t * Panel<Format>::kBytes; }
    void values(int t, int g, int h, Bytes decoded) const {
        store_bytes(tile(t) + Panel<Format>::kValuesAt + (g * kParts + h) * kVectorBytes, decoded);
    }
    void scales(int t, int h, F32 scales) const {
        store(reinterpret_cast<float*>(tile(t)) + h * kLanes, scales);
    }
    void next_block() { block += kTiles * Panel<Format>::kBytes; }
};

template <class Format, int kTiles>
HADES_INLINE void times_stretch(const QgemmTilesArgs& a, const Stretch& packed, const uint8_t* next,
                                int64_t tile) {
    const int64_t groups = ceil_div(a.m, kWide);
    some_rows<Format, kTiles, KeepInPanel<Format, kTiles>>(
        a, packed, ahead_of_group<Format, kTiles>(packed, next, 0, groups), tile, 0, a.m / groups,
        {a.panel});
    all_rows<Panel<Format>, kTiles>(a, {a.panel, 0, packed.first, packed.blocks, a.k}, next, tile,
                                    1);
}

}  // namespace hades::HADES_ISA
