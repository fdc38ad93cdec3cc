#pragma once
#include <cstdint>

#include "base/rounding.h"
#include "kernels/tile/conv_grid.h"
#include "kernels/tile/conv_shape.h"

// Winograd's minimal filtering F(4x4, 3x3), of whatever numbers: 16 outputs from a 6x6 patch with
// 36 products per pair of channels instead of 144. What its kernels have in common when they plan.
namespace hades {

constexpr int kWinogradOut = 4;    // outputs per tile and axis
constexpr int kWinogradPatch = 6;  // inputs per tile and axis
constexpr int kWinogradPlanes = kWinogradPatch * kWinogradPatch;

constexpr int64_t kWinogradDilation = 64;  // beyond, phases have a pixel each
// For the sake of several threads chunks become smaller, down to these.
constexpr int64_t kWinogradChunks = 8;
constexpr int64_t kWinogradLeastTiles = 12;
constexpr int64_t kWinogradLeastOutputs = 64;

// Whether it can compute the shape.
inline bool winograd_fits(const ConvShape& s) {
    return s.kernel_h == 3 && s.kernel_w == 3 && s.stride_h == 1 && s.stride_w == 1 &&
           s.dilation_h <= kWinogradDilation && s.dilation_w <= kWinogradDilation && s.groups == 1;
}

// Of all images and phases, see winograd_grid.h.
inline int64_t winograd_tiles(const ConvShape& s) {
    return s.images * s.dilation_h * s.dilation_w *
           ceil_div(s.out_height, kWinogradOut * s.dilation_h) *
           ceil_div(s.out_width, kWinogradOut * s.dilation_w);
}

inline int64_t winograd_chunks(const ConvGrid& grid) {
    return ceil_div(grid.columns, grid.columns_per_chunk) *
           ceil_div(grid.blocks, grid.blocks_per_chunk);
}

// Cuts chunks of output channels, then of tiles (columns), until there are enough of them.
inline void cut_winograd_chunks(ConvGrid* grid) {
    while (winograd_chunks(*grid) < kWinogradChunks &&
           grid->blocks_per_chunk * grid->block >= 2 * kWinogradLeastOutputs)
        grid->blocks_per_chunk = ceil_div(grid->blocks_per_chunk, 2);
    while (winograd_chunks(*grid) < kWinogradChunks &&
           grid->columns_per_chunk >= 2 * kWinogradLeastTiles)
        grid->columns_per_chunk = ceil_div(grid->columns_per_chunk, 2);
}

}  // namespace hades
