#pragma once
#include <algorithm>

#include "base/loop_nest.h"
#include "base/rounding.h"

// A loop nest of two operands whose innermost axes are different ones, as blocks that are
// transposed on the way: rows are contiguous in x, columns in y.
namespace hades {

struct BlockNest {
    int32_t outer;  // axes
    int64_t extents[kMaxRank], x_strides[kMaxRank], y_strides[kMaxRank];
    int64_t rows, columns, x_column, y_row;
    int64_t row_blocks, column_blocks;
    int64_t count;  // of blocks; 0 where the nest is no such one
};

// Few rows, which lie far apart in y, for the sake of its pages; the lines of x that a block shares
// with the next one stay in the first-level cache.
constexpr int64_t kBlockRows = 16, kBlockColumns = 256;

struct NestBlock {
    int64_t x, y, rows, columns;  // elements from the beginning, and extents
};

inline BlockNest make_block_nest(const LoopNest& nest) {
    BlockNest blocks = {};
    const int inner = nest.rank - 1;
    if (nest.count == 0 || nest.strides[1][inner] != 1 || nest.strides[0][inner] == 1) return {};
    bool found = false;
    for (int axis = 0; axis < inner; ++axis) {
        if (!found && nest.strides[0][axis] == 1 && nest.extents[axis] > 1) {
            found = true;
            blocks.rows = nest.extents[axis], blocks.y_row = nest.strides[1][axis];
            continue;
        }
        blocks.extents[blocks.outer] = nest.extents[axis];
        blocks.x_strides[blocks.outer] = nest.strides[0][axis];
        blocks.y_strides[blocks.outer++] = nest.strides[1][axis];
    }
    if (!found) return {};
    blocks.columns = nest.extents[inner], blocks.x_column = nest.strides[0][inner];
    blocks.row_blocks = ceil_div(blocks.rows, kBlockRows);
    blocks.column_blocks = ceil_div(blocks.columns, kBlockColumns);
    blocks.count = nest.count / (blocks.rows * blocks.columns);
    blocks.count *= blocks.row_blocks * blocks.column_blocks;
    return blocks;
}

inline NestBlock block_at(const BlockNest& blocks, int64_t index) {
    const auto next = [&index](int64_t extent) {
        const int64_t digit = index % extent;
        index /= extent;
        return digit;
    };
    // Down the rows first: they read the same lines of x.
    const int64_t row = next(blocks.row_blocks) * kBlockRows;
    const int64_t column = next(blocks.column_blocks) * kBlockColumns;
    NestBlock block = {row + column * blocks.x_column, row * blocks.y_row + column,
                       std::min(blocks.rows - row, kBlockRows),
                       std::min(blocks.columns - column, kBlockColumns)};
    for (int axis = blocks.outer - 1; axis >= 0; --axis) {
        const int64_t digit = next(blocks.extents[axis]);
        block.x += digit * blocks.x_strides[axis];
        block.y += digit * blocks.y_strides[axis];
    }
    return block;
}

}  // namespace hades
