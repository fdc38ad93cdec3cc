#pragma once
#include "kernels/qgemm/qgemm_dots_generic.h"

// Weights decoded once for all rows: a block is float32 scales, then byte vectors on cache lines.
// The panel stays in the second-level cache.
namespace hades::HADES_ISA {

constexpr int kPanelTiles = kTileStep;
constexpr int64_t kPanelStretch = 96;
template <class Format>
constexpr int64_t kPanelRows = 32;

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
HADES_INLINE void rows_times_panel(const QgemmTilesArgs& a, const Stretch& panel,
                                   const uint8_t* next, int64_t tile) {
    all_rows<Panel<Format>, kTiles>(a, panel, next, tile);
}

}  // namespace hades::HADES_ISA
