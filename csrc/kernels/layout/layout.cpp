#include "kernels/layout/layout.h"

#include <algorithm>
#include <cstdlib>

#include "base/element.h"
#include "base/rounding.h"
#include "kernels/families.h"
#include "kernels/layout/layout_ops.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/layout/layout.inc"
#undef HADES_KERNEL
};

const char* const kStridedCopies[4] = {"copy_strided_b1", "copy_strided_b2", "copy_strided_b4",
                                       "copy_strided_b8"};

struct Axis {
    int64_t extent, x, y;
};

// The loops of a copy: axes of extent 1 dropped, ordered by output stride (outermost first), and
// neighbours merged where both sides allow it. At least two axes, the last innermost.
struct Loops {
    Axis axes[kMaxRank + 2];
    int count = 0;
};

Loops canonical_loops(const Tensor& x, const Tensor& y) {
    Loops loops;
    for (int i = 0; i < y.rank; ++i)
        if (y.shape[i] != 1) loops.axes[loops.count++] = {y.shape[i], x.strides[i], y.strides[i]};
    std::stable_sort(loops.axes, loops.axes + loops.count, [](const Axis& a, const Axis& b) {
        return std::llabs(a.y) > std::llabs(b.y);
    });
    int kept = 0;
    for (int i = 0; i < loops.count; ++i) {
        const Axis inner = loops.axes[i];
        Axis* outer = kept ? &loops.axes[kept - 1] : nullptr;
        if (outer && outer->x == inner.x * inner.extent && outer->y == inner.y * inner.extent)
            *outer = {outer->extent * inner.extent, inner.x, inner.y};
        else
            loops.axes[kept++] = inner;
    }
    loops.count = kept;
    if (loops.count == 0) loops.axes[loops.count++] = {1, 1, 1};
    if (loops.count == 1) {
        loops.axes[1] = loops.axes[0];
        loops.axes[0] = {1, 0, 0};
        loops.count = 2;
    }
    return loops;
}

struct CopyParams {
    CopyBlock* kernel;
    CopyBlockArgs block;  // the whole block; pointers and extents are set per tile
    Axis outer[kMaxRank];
    int outer_count;
    int64_t unit;  // bytes that the strides of block and outer count
    int64_t tile_rows, tile_columns, row_tiles, column_tiles;
    int64_t tiles, tiles_per_chunk;
    uint64_t value;  // what fill copies
};

constexpr int64_t kChunkBytes = 64 * 1024;
constexpr int64_t kTransposeTile =
    64;  // two tiles of four-byte elements fill the first-level cache

// Elements from which the output of a transpose does not stay in the caches; then tiles are as high
// as a pixel has channels, so that the input is read once and in order.
constexpr int64_t kPastCaches = int64_t{1} << 20;
constexpr int64_t kHighTile = 512;

void choose_tiles(CopyParams* copy, bool transposed) {
    const CopyBlockArgs& block = copy->block;
    if (transposed) {
        copy->tile_rows = block.past_caches ? kHighTile : kTransposeTile;
        copy->tile_columns = kTransposeTile;
    } else {
        copy->tile_columns = std::min(block.columns, kChunkBytes / copy->unit);
        copy->tile_rows = std::max<int64_t>(1, kChunkBytes / (copy->tile_columns * copy->unit));
    }
    copy->tile_rows = std::min(copy->tile_rows, block.rows);
    copy->tile_columns = std::min(copy->tile_columns, block.columns);
    copy->row_tiles = (block.rows + copy->tile_rows - 1) / copy->tile_rows;
    copy->column_tiles = (block.columns + copy->tile_columns - 1) / copy->tile_columns;
    copy->tiles = copy->row_tiles * copy->column_tiles;
    for (int i = 0; i < copy->outer_count; ++i) copy->tiles *= copy->outer[i].extent;
    const int64_t tile_bytes = copy->tile_rows * copy->tile_columns * copy->unit;
    copy->tiles_per_chunk = std::max<int64_t>(1, kChunkBytes / tile_bytes);
}

// Which of the outer axes runs down the rows of the block.
int choose_rows(const Loops& loops) {
    const Axis& columns = loops.axes[loops.count - 1];
    if (columns.y == 1 && columns.x != 1)
        for (int i = loops.count - 2; i >= 0; --i)
            if (loops.axes[i].x == 1) return i;
    return loops.count - 2;
}

void plan_copy(const Tensor& x, const Tensor& y, IsaMask allowed, CopyParams* copy,
               const char** kernel_name) {
    const Loops loops = canonical_loops(x, y);
    const int rows_axis = choose_rows(loops);
    const Axis rows = loops.axes[rows_axis], columns = loops.axes[loops.count - 1];
    const auto size = static_cast<int64_t>(size_of(y.dtype));
    const bool contiguous = columns.x == 1 && columns.y == 1;
    const bool transposed = columns.y == 1 && !contiguous && rows.x == 1;

    copy->unit = contiguous ? 1 : size;
    const int64_t scale = contiguous ? size : 1;
    copy->block = {nullptr,        nullptr,   rows.extent,    columns.extent * scale,
                   rows.x * scale, columns.x, rows.y * scale, columns.y,
                   false};
    for (int i = 0; i < loops.count - 1; ++i) {
        if (i == rows_axis) continue;
        const Axis& axis = loops.axes[i];
        copy->outer[copy->outer_count++] = {axis.extent, axis.x * scale, axis.y * scale};
    }
    copy->block.past_caches = size == 4 && transposed && element_count(y) >= kPastCaches;
    const char* function = sized_name(kStridedCopies, y.dtype);
    const bool interleave = columns.extent < 8;  // too few columns for square tiles
    if (contiguous) function = "copy_rows";
    if (transposed && size == 4 && !interleave) function = "transpose_b4";
    if (transposed && size == 1 && !interleave) function = "transpose_b1";
    copy->kernel = select<CopyBlock>(kKernels, function, allowed, kernel_name);
    choose_tiles(copy, transposed && !interleave);
}

void run_tile(const CopyParams& copy, int64_t tile, const char* x, char* y) {
    const int64_t column = tile % copy.column_tiles * copy.tile_columns;
    tile /= copy.column_tiles;
    const int64_t row = tile % copy.row_tiles * copy.tile_rows;
    tile /= copy.row_tiles;
    CopyBlockArgs block = copy.block;
    int64_t x_offset = row * block.x_row + column * block.x_column;
    int64_t y_offset = row * block.y_row + column * block.y_column;
    for (int i = copy.outer_count - 1; i >= 0; --i) {
        const int64_t index = tile % copy.outer[i].extent;
        tile /= copy.outer[i].extent;
        x_offset += index * copy.outer[i].x;
        y_offset += index * copy.outer[i].y;
    }
    block.x = x + x_offset * copy.unit;
    block.y = y + y_offset * copy.unit;
    block.rows = std::min(copy.tile_rows, block.rows - row);
    block.columns = std::min(copy.tile_columns, block.columns - column);
    copy.kernel(block);
}

void run_tiles(const CopyParams& copy, const void* x, void* y, Worker& worker) {
    const int64_t chunks = ceil_div(copy.tiles, copy.tiles_per_chunk);
    parallel_for(worker, chunks, [&](int64_t chunk) {
        const int64_t first = chunk * copy.tiles_per_chunk;
        const int64_t last = std::min(first + copy.tiles_per_chunk, copy.tiles);
        for (int64_t tile = first; tile < last; ++tile)
            run_tile(copy, tile, static_cast<const char*>(x), static_cast<char*>(y));
    });
}

void run_copy(const void* params, void* const* operands, Worker& worker) {
    run_tiles(*static_cast<const CopyParams*>(params), operands[0], operands[1], worker);
}

void run_fill(const void* params, void* const* operands, Worker& worker) {
    const auto& copy = *static_cast<const CopyParams*>(params);
    run_tiles(copy, &copy.value, operands[0], worker);
}

void bind_tiles(const Tensor& x, const Tensor& y, const OpDesc& desc, RunFn run, BoundOp* bound) {
    auto params = std::make_shared<CopyParams>();
    const bool empty = element_count(y) == 0;
    if (!empty) plan_copy(x, y, desc.allowed, params.get(), &bound->kernel);
    params->value = encode_element(y.dtype, desc.attributes, "value");
    bound->run = empty ? run_nothing : run;
    bound->params = params;
    bound->bytes = static_cast<double>(element_count(y)) * static_cast<double>(size_of(y.dtype));
}

// copy(x) -> y of the same shape and dtype; any strides on both sides.
Status bind_copy(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 1 || desc.outputs.size() != 1 || !desc.has(0))
        return invalid("copy takes x and gives y");
    const Tensor &x = desc.in(0), &y = desc.out(0);
    if (!same_shape(x, y) || x.dtype != y.dtype)
        return invalid("copy: x and y must have one shape and dtype");
    if (Status status = check_writable("copy", y); !status.ok) return status;
    bind_tiles(x, y, desc, run_copy, bound);
    bound->bytes *= 2;
    return {};
}

// fill() -> y; attribute value.
Status bind_fill(const OpDesc& desc, BoundOp* bound) {
    if (!desc.inputs.empty() || desc.outputs.size() != 1)
        return invalid("fill takes nothing and gives y");
    if (Status status = check_writable("fill", desc.out(0)); !status.ok) return status;
    Tensor value = desc.out(0);
    std::fill(value.strides, value.strides + kMaxRank, 0);
    bind_tiles(value, desc.out(0), desc, run_fill, bound);
    return {};
}

const OpEntry kOps[] = {{"copy", bind_copy}, {"fill", bind_fill}, {"pad", bind_pad}};

}  // namespace

Status check_writable(const char* op, const Tensor& y) {
    if (element_count(y) == 0) return {};
    for (int axis = 0; axis < y.rank; ++axis)
        if (y.shape[axis] > 1 && y.strides[axis] == 0)
            return invalid("%s: axis %d of the output repeats its elements", op, axis);
    return {};
}

PadRow* select_pad_row(DType dtype, IsaMask allowed, const char** kernel_name) {
    const char* const names[4] = {"pad_row_b1", "pad_row_b2", "pad_row_b4", "pad_row_b8"};
    return select<PadRow>(kKernels, sized_name(names, dtype), allowed, kernel_name);
}

Family layout_family() { return make_family("layout", kOps, kKernels); }

}  // namespace hades
