#pragma once
#include "base/rounding.h"
#include "kernels/tile/conv_grid.h"
#include "kernels/tile/conv_shape.h"

// How convolutions of every kind of number cut their work for caches and threads.
namespace hades {

// What makes a chunk as large as it should be, of one kind of number.
struct ChunkSize {
    int64_t input_bytes;    // of a chunk; they share the second-level cache with packed weights
    double least_macs;      // some 20 microseconds: less is not worth a claim
    int64_t least_columns;  // of a row that is cut
};

// The smallest part size that cuts `whole` into as many parts as `part` does: even parts.
inline int64_t even_part(int64_t whole, int64_t part) {
    return ceil_div(whole, ceil_div(whole, part));
}

inline int64_t input_extent(int64_t out, int64_t kernel, int64_t stride, int64_t dilation) {
    return (out - 1) * stride + (kernel - 1) * dilation + 1;
}

// Cuts a grid, whose block and blocks are known, into rows, or pixels of a single row, whose input
// stays in the cache, and those until there are enough for several threads. `pixel_bytes` is what
// a pixel of the input takes there.
void cut_chunks(const ConvShape& shape, const ChunkSize& size, int64_t pixel_bytes, ConvGrid* grid);

// Parts of a grid as even as its chunks allow.
void even_out(ConvGrid* grid);

int64_t chunk_count(const ConvGrid& grid);

// The chunk of that number, output channels varying fastest so that neighbours share their input.
ConvChunk chunk_at(const ConvGrid& grid, int64_t index);

// Rows of the image that outputs of a chunk see, at most.
int64_t staged_rows(const ConvShape& shape, const ConvGrid& grid);

// Columns that they see, padding among them.
int64_t staged_columns(const ConvShape& shape, const ConvGrid& grid);

}  // namespace hades
