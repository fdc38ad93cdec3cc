#pragma once
#include <cstdint>

#include "base/epilogue.h"
#include "formats/weight_format.h"

// Products of activations [m, k] and a packed quantised matrix [n, k], transposed.
//
// Integer kernels ("_q8") take int8 activations with a power-of-two scale per block of 32. For each
// row of the result, in ascending blocks: dot = the exact int32 product of 32 weights and
// activations, acc = fma(dot, scale of weights * scale of activations, acc). That order is the same
// for any number of rows m and in every tier, so results are equal to the last bit.
// Float kernels ("_f32") decode weights exactly and accumulate acc = fma(weight, activation, acc)
// in ascending columns.
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

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/qgemm/qgemm.inc"
#undef HADES_KERNEL

}  // namespace hades
