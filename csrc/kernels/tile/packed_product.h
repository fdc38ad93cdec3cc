#pragma once
#include <cstdint>

#include "base/epilogue.h"
#include "base/isa.h"
#include "formats/weight_format.h"

// The product of rows of activations and a few tiles of a packed weight, of which qgemm and moe are
// made. The kernels are those of qgemm.
namespace hades {

constexpr int kTilesAtOnce = 4;
constexpr int64_t kRowsAtOnce = 128;  // stay in the second-level cache, with what they make

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
    uint8_t* panel;                 // kPanelBytes of scratch, on a cache line
    const QgemmEpilogue* epilogue;  // nullptr leaves the product in acc
};

// Scratch for decoded weights, some columns of a few tiles.
constexpr int64_t kPanelBytes = 108 * 1024;

using QgemmTiles = void(const QgemmTilesArgs&);

// The kernel for q8 or float32 activations; nullptr for q8 activations and float weights.
QgemmTiles* select_qgemm(WeightFormat format, bool is_q8, IsaMask allowed, const char** name);

}  // namespace hades
