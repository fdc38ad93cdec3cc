#include "kernels/tile/cut_chunks.h"

#include <algorithm>

namespace hades {
namespace {

constexpr double kChunks = 32;  // enough to balance a few threads
constexpr int64_t kLeastRows = 4;

// Halves chunks until there are enough of them or they become too small. What is halved is the
// dimension that costs less to visit twice.
void cut_for_threads(const ConvShape& s, const ChunkSize& size, ConvGrid* grid) {
    const double macs = static_cast<double>(s.images * s.groups * s.out_height * s.out_width) *
                        static_cast<double>(s.oc * s.ic * s.kernel_h * s.kernel_w);
    const double most = std::min(kChunks, macs / size.least_macs);
    while (static_cast<double>(chunk_count(*grid)) < most) {
        const bool rows = grid->rows_per_chunk > 1, blocks = grid->blocks_per_chunk > 1;
        const bool columns = grid->columns_per_chunk >= 2 * size.least_columns;
        const int64_t inputs =
            grid->rows_per_chunk * s.stride_h * grid->columns_per_chunk * s.stride_w * s.ic;
        const int64_t weights =
            grid->blocks_per_chunk * grid->block * s.kernel_h * s.kernel_w * s.ic;
        if (blocks && (weights >= inputs || !(rows || columns)))
            grid->blocks_per_chunk = ceil_div(grid->blocks_per_chunk, 2);
        else if (rows)
            grid->rows_per_chunk = ceil_div(grid->rows_per_chunk, 2);
        else if (columns)
            grid->columns_per_chunk = ceil_div(grid->columns_per_chunk, 2);
        else
            return;
    }
}

}  // namespace

void cut_chunks(const ConvShape& s, const ChunkSize& size, int64_t pixel_bytes, ConvGrid* grid) {
    grid->images = s.images;
    grid->groups = s.groups;
    grid->rows = s.out_height;
    grid->columns = grid->columns_per_chunk = s.out_width;
    grid->blocks_per_chunk = grid->blocks;
    const int64_t row_bytes = std::max<int64_t>(s.width * pixel_bytes, 1);
    const int64_t halo = (s.kernel_h - 1) * s.dilation_h;
    const int64_t rows = (size.input_bytes / row_bytes - halo) / s.stride_h;
    grid->rows_per_chunk = std::clamp(rows, std::min(kLeastRows, s.out_height), s.out_height);
    if (s.out_height == 1 && row_bytes > size.input_bytes)
        grid->columns_per_chunk =
            std::max(size.input_bytes / pixel_bytes / s.stride_w, size.least_columns);
    even_out(grid);
    cut_for_threads(s, size, grid);
    even_out(grid);
}

void even_out(ConvGrid* grid) {
    grid->rows_per_chunk = even_part(grid->rows, grid->rows_per_chunk);
    grid->columns_per_chunk = even_part(grid->columns, grid->columns_per_chunk);
    grid->blocks_per_chunk = even_part(grid->blocks, grid->blocks_per_chunk);
}

int64_t chunk_count(const ConvGrid& grid) {
    return grid.images * grid.groups * ceil_div(grid.rows, grid.rows_per_chunk) *
           ceil_div(grid.columns, grid.columns_per_chunk) *
           ceil_div(grid.blocks, grid.blocks_per_chunk);
}

ConvChunk chunk_at(const ConvGrid& grid, int64_t index) {
    const auto next = [&index](int64_t extent, int64_t part) {
        const int64_t parts = ceil_div(extent, part);
        const int64_t begin = index % parts * part;
        index /= parts;
        return begin;
    };
    ConvChunk chunk;
    chunk.block_begin = next(grid.blocks, grid.blocks_per_chunk);
    chunk.column_begin = next(grid.columns, grid.columns_per_chunk);
    chunk.row_begin = next(grid.rows, grid.rows_per_chunk);
    chunk.group = next(grid.groups, 1);
    chunk.image = index;
    chunk.block_end = std::min(chunk.block_begin + grid.blocks_per_chunk, grid.blocks);
    chunk.column_end = std::min(chunk.column_begin + grid.columns_per_chunk, grid.columns);
    chunk.row_end = std::min(chunk.row_begin + grid.rows_per_chunk, grid.rows);
    return chunk;
}

int64_t staged_rows(const ConvShape& s, const ConvGrid& grid) {
    return std::min(input_extent(grid.rows_per_chunk, s.kernel_h, s.stride_h, s.dilation_h),
                    s.height);
}

int64_t staged_columns(const ConvShape& s, const ConvGrid& grid) {
    return input_extent(grid.columns_per_chunk, s.kernel_w, s.stride_w, s.dilation_w);
}

}  // namespace hades
