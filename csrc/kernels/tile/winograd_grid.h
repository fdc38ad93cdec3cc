#pragma once
#include "base/rounding.h"
#include "kernels/tile/winograd_tiles.h"

// The tiles of a Winograd convolution in the order in which they are numbered.
namespace hades::HADES_ISA {

// With dilations d, outputs d apart see inputs d apart: d * d phases are convolutions without one,
// and tiles of a phase take every d-th row and column.
struct TileGrid {
    int64_t dilation_h, dilation_w;
    int64_t height, width;  // of an image, in whole tiles of all phases
};

struct TilePlace {
    int64_t image, row, column;       // of the tile's first output
    int64_t phase_row, phase_column;  // of its phase
};

HADES_INLINE TileGrid tile_grid(const ConvShape& s) {
    return {s.dilation_h, s.dilation_w, round_up(s.out_height, kWinogradOut * s.dilation_h),
            round_up(s.out_width, kWinogradOut * s.dilation_w)};
}

// The tile of that number: by image, row of tiles, row and column of the phase, column of tiles.
HADES_INLINE TilePlace tile_place(const TileGrid& grid, int64_t tile) {
    const auto next = [&tile](int64_t extent) {
        const int64_t digit = tile % extent;
        tile /= extent;
        return digit;
    };
    TilePlace place;
    place.column = next(grid.width / (kWinogradOut * grid.dilation_w)) * kWinogradOut;
    place.phase_column = next(grid.dilation_w);
    place.phase_row = next(grid.dilation_h);
    place.row = next(grid.height / (kWinogradOut * grid.dilation_h)) * kWinogradOut;
    place.column = place.column * grid.dilation_w + place.phase_column;
    place.row = place.row * grid.dilation_h + place.phase_row;
    place.image = tile;
    return place;
}

// Divisions take longer than a transform.
HADES_INLINE void step_to_next(const TileGrid& grid, TilePlace* place) {
    place->column += kWinogradOut * grid.dilation_w;
    if (place->column < grid.width) return;
    place->column = ++place->phase_column;
    if (place->phase_column < grid.dilation_w) return;
    place->column = place->phase_column = 0;
    ++place->row;
    if (++place->phase_row < grid.dilation_h) return;
    place->phase_row = 0;
    place->row += (kWinogradOut - 1) * grid.dilation_h;
    if (place->row < grid.height) return;
    place->row = 0;
    ++place->image;
}

// How many of the outputs of a tile there are along an axis, its first one being `first`.
HADES_INLINE int64_t outputs_left(int64_t extent, int64_t first, int64_t dilation) {
    int64_t count = 0;
    while (count < kWinogradOut && first + count * dilation < extent) ++count;
    return count;
}

}  // namespace hades::HADES_ISA
