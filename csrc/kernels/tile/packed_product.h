#pragma once
#include <cstdint>

#include "base/epilogue.h"
#include "base/isa.h"
#include "formats/weight_format.h"

// The product of rows of activations and a few tiles of a packed weight, of which qgemm and moe are
// made. The kernels are those of qgemm.
namespace hades {

constexpr int kTilesAtOnce = 4;
constexpr int64_t kRowsAtOnce = 512;

// y = activation(acc + bias) + residual, for the columns of some tiles.
struct QgemmEpilogue {
    const float* bias;      // [columns] or nullptr
    const float* residual;  // or nullptr
    int64_t residual_stride;
    float* y;
    int64_t y_stride;
    int64_t columns;
    ActivationParams activation;
};

// Up to kTilesAtOnce adjacent tiles of the weight and up to kRowsAtOnce rows of activations.
struct QgemmTilesArgs {
    const uint8_t* weight;
    int64_t tile_bytes;
    int64_t tiles;
    int64_t k;
    const uint8_t* a;      // q8 rows, or float32 rows
    int64_t a_row_bytes;   // between rows
    const int32_t* index;  // row i is a + index[i] * a_row_bytes; nullptr: a + i * a_row_bytes
    int64_t m;
    float* acc;                     // [m, kTileRows * tiles]
    uint8_t* panel;                 // panel_bytes(k) of scratch
    const QgemmEpilogue* epilogue;  // nullptr leaves the product in acc
};

// Decoded weights: all columns of kPanelTiles tiles as bytes with float32 scales, or kPanelBlocks
// blocks of one tile as float32.
constexpr int kPanelTiles = 2;
constexpr int64_t kPanelBlocks = 8;

HADES_INLINE constexpr int64_t panel_bytes(int64_t k) {
    const int64_t bytes = kPanelTiles * (k / kBlock) * (kBlock + 4) * kTileRows;
    const int64_t floats = kPanelBlocks * kBlock * kTileRows * 4;
    return bytes > floats ? bytes : floats;
}

using QgemmTiles = void(const QgemmTilesArgs&);

// The kernel for q8 or float32 activations; nullptr for q8 activations and float weights.
QgemmTiles* select_qgemm(WeightFormat format, bool is_q8, IsaMask allowed, const char** name);

}  // namespace hades
