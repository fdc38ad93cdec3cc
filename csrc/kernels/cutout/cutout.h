#pragma once
#include <cstdint>

#include "base/macros.h"

// Cut-out of an image along its matte, with the foreground's own colour where the matte is soft.
//
// There a pixel shows I = alpha F + (1 - alpha) B, and F is wanted. Blur fusion takes the averages
// of known F and B around the pixel, weighted by alpha and 1 - alpha, and spreads the residual:
//   F = F^ + alpha (I - alpha F^ - (1 - alpha) B^)
// first with a wide neighbourhood, then with a narrow one on the result of the first. The wide
// average varies slowly and is taken on a coarse grid of cells from a few samples each; the narrow
// one is computed only in tiles that have soft pixels. All sums are integers, so tiers agree to the
// bit.
//
// Source of the method: Forte, "Approximate fast foreground colour estimation", ICIP 2021.
namespace hades {

constexpr int64_t kCutoutTileRows = 32;
constexpr int64_t kCutoutTileCols = 64;
constexpr int64_t kCutoutNarrow = 6;      // radius of the narrow average, in pixels
constexpr int64_t kCutoutWide = 11;       // radius of the wide average, in cells
constexpr int64_t kCutoutMaxCells = 240;  // along the longer side
constexpr int64_t kCutoutCellBlock = 16;  // columns of cells per chunk of the second step

struct CutoutArgs {
    const uint8_t* image;  // [height, width, 3]
    const uint8_t* alpha;  // [height, width]
    uint8_t* rgba;         // [height, width, 4]
    int64_t height, width;
    int64_t image_stride, alpha_stride, rgba_stride;  // bytes between rows
    int64_t cell;                                     // side of a cell in pixels
    int64_t cell_step;                                // distance of the samples in a cell
    int64_t cell_rows, cell_cols;
    uint32_t* sums;  // [cell_rows, cell_cols, 8]: alpha RGB, alpha, (255 - alpha) RGB, 255 - alpha
    uint8_t* prior;  // [cell_rows, cell_cols, 8]: F^ RGB, known, B^ RGB, known
    bool estimate;   // false: keep the colours of the image
    bool keep_hidden;  // false: colour 0 where alpha is 0
};

HADES_INLINE constexpr int64_t cutout_scratch_bytes() {
    constexpr int64_t padded = kCutoutTileCols + 2 * kCutoutNarrow;
    constexpr int64_t rows = kCutoutTileRows + 2 * kCutoutNarrow;
    return (padded + rows * kCutoutTileCols + kCutoutTileCols) * 8 * int64_t{sizeof(uint32_t)};
}

enum class CutoutStep {
    cells,  // one row of cells: sums over their samples, averaged horizontally
    prior,  // kCutoutCellBlock columns of cells: averaged vertically and divided
    strip,  // kCutoutTileRows rows of the output; needs cutout_scratch_bytes()
};

// One chunk of a step; a step needs all chunks of the one before it.
using CutoutKernel = void(const CutoutArgs&, CutoutStep step, int64_t chunk, void* scratch);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/cutout/cutout.inc"
#undef HADES_KERNEL

}  // namespace hades
