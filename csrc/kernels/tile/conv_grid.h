#pragma once
#include <cstdint>

// How the output of a convolution is cut into chunks, which threads compute. A function of the
// shape and the tier, never of the number of threads.
namespace hades {

// What chunks cut: output pixels, or Winograd tiles in one row, and blocks of output channels.
struct ConvGrid {
    int64_t images, groups, rows, columns, blocks;  // blocks are per group
    int64_t block;                                  // output channels of a packed block of weights
    int64_t rows_per_chunk, columns_per_chunk, blocks_per_chunk;
};

// A box of the output that one call computes.
struct ConvChunk {
    int64_t image, group;
    int64_t row_begin, row_end, column_begin, column_end, block_begin, block_end;
};

}  // namespace hades
