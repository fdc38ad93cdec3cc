#include "kernels/grid/grid.h"

#include <algorithm>
#include <string>

#include "base/rounding.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/grid/grid.inc"
#undef HADES_KERNEL
};

constexpr int64_t kLargestExtent = int64_t{1} << 24;  // whole numbers of float32
constexpr int64_t kLargestImage = int64_t{1} << 31;
constexpr int64_t kChunk = 16384;  // elements read

// Output positions: lines along the innermost axis, neighbouring axes merged where memory allows.
struct Line {
    int64_t extent, grid, y;
};

struct GridParams {
    GridBlock* kernel;
    GridBlockArgs block;
    int64_t images, x_image, y_image, grid_image;
    Line lines[kGridAxes];
    int line_count = 0;
    int64_t blocks, blocks_per_line, blocks_per_chunk;
};

void run_block(const GridParams& grid, int64_t index, void* const* operands) {
    GridBlockArgs block = grid.block;
    const Line& inner = grid.lines[grid.line_count - 1];
    const int64_t first = index % grid.blocks_per_line * kGridBlock;
    index /= grid.blocks_per_line;
    block.count = std::min<int64_t>(kGridBlock, inner.extent - first);
    int64_t at_grid = first * inner.grid, at_y = first * inner.y;
    for (int i = grid.line_count - 2; i >= 0; --i) {
        at_grid += index % grid.lines[i].extent * grid.lines[i].grid;
        at_y += index % grid.lines[i].extent * grid.lines[i].y;
        index /= grid.lines[i].extent;
    }
    block.x = static_cast<const float*>(operands[0]) + index * grid.x_image;
    block.grid = static_cast<const float*>(operands[1]) + index * grid.grid_image + at_grid;
    block.y = static_cast<float*>(operands[2]) + index * grid.y_image + at_y;
    grid.kernel(block);
}

void run_grid_sample(const void* params, void* const* operands, Worker& worker) {
    const auto& grid = *static_cast<const GridParams*>(params);
    parallel_for(worker, ceil_div(grid.blocks, grid.blocks_per_chunk), [&](int64_t chunk) {
        const int64_t first = chunk * grid.blocks_per_chunk;
        const int64_t last = std::min(first + grid.blocks_per_chunk, grid.blocks);
        for (int64_t block = first; block < last; ++block) run_block(grid, block, operands);
    });
}

Status read_names(const Attributes& attributes, GridBlockArgs* block) {
    const std::string mode = attributes.text("mode", "linear");
    const std::string padding = attributes.text("padding", "zeros");
    if (mode != "nearest" && mode != "linear" && mode != "cubic")
        return invalid("grid_sample: mode \"%s\" is none of linear, nearest, cubic", mode.c_str());
    if (padding != "zeros" && padding != "border" && padding != "reflection")
        return invalid("grid_sample: padding \"%s\" is none of zeros, border, reflection",
                       padding.c_str());
    block->mode = mode == "nearest"  ? GridMode::nearest
                  : mode == "linear" ? GridMode::linear
                                     : GridMode::cubic;
    block->padding = padding == "zeros"    ? GridPadding::zeros
                     : padding == "border" ? GridPadding::border
                                           : GridPadding::reflection;
    block->align_corners = attributes.integer("align_corners", 0) != 0;
    return {};
}

Status check_shapes(const OpDesc& desc) {
    if (desc.inputs.size() != 2 || desc.outputs.size() != 1 || !desc.has(0) || !desc.has(1))
        return invalid("grid_sample takes x and grid and gives y");
    const Tensor &x = desc.in(0), &grid = desc.in(1), &y = desc.out(0);
    if (x.dtype != DType::f32 || grid.dtype != DType::f32 || y.dtype != DType::f32)
        return invalid("grid_sample: x, grid and y must be float32");
    const int axes = x.rank - 2;
    if (axes < 1 || axes > kGridAxes || grid.rank != x.rank || y.rank != x.rank)
        return invalid("grid_sample: x, grid and y must have 3 to 5 axes, all as many");
    bool fits = grid.shape[grid.rank - 1] == axes && x.shape[0] == grid.shape[0] &&
                x.shape[0] == y.shape[0] && x.shape[1] == y.shape[1];
    for (int axis = 0; axis < axes; ++axis) fits &= grid.shape[1 + axis] == y.shape[2 + axis];
    if (!fits)
        return invalid(
            "grid_sample: x [n, c, *spatial], grid [n, *out, axes] and y [n, c, *out] do not fit");
    int64_t span = 1;
    for (int axis = 0; axis < axes; ++axis) {
        const int64_t extent = x.shape[2 + axis], stride = x.strides[2 + axis];
        if (extent < 1 && element_count(y) > 0) return invalid("grid_sample: x has no pixels");
        if (extent > kLargestExtent)
            return invalid("grid_sample: axis %d of x is longer than 2^24", 2 + axis);
        span += (extent - 1) * (stride < 0 ? -stride : stride);
    }
    if (span >= kLargestImage) return invalid("grid_sample: an image of x spans 2^31 elements");
    return {};
}

void set_lines(const Tensor& grid, const Tensor& y, GridParams* params) {
    for (int axis = 0; axis < y.rank - 2; ++axis) {
        const Line line = {y.shape[2 + axis], grid.strides[1 + axis], y.strides[2 + axis]};
        if (line.extent == 1) continue;
        Line* before = params->line_count ? &params->lines[params->line_count - 1] : nullptr;
        const bool merges =
            before && before->grid == line.extent * line.grid && before->y == line.extent * line.y;
        if (merges)
            *before = {before->extent * line.extent, line.grid, line.y};
        else
            params->lines[params->line_count++] = line;
    }
    if (params->line_count == 0) params->lines[params->line_count++] = {1, 1, 1};
}

void set_block(const Tensor& x, const Tensor& grid, const Tensor& y, GridParams* params) {
    GridBlockArgs& block = params->block;
    const int axes = x.rank - 2;
    block.first_axis = kGridAxes - axes;
    for (int axis = 0; axis < axes; ++axis)
        block.axes[block.first_axis + axis] = {x.shape[2 + axis], x.strides[2 + axis],
                                               (axes - 1 - axis) * grid.strides[grid.rank - 1]};
    block.channels = x.shape[1];
    block.x_channel = x.strides[1];
    block.y_channel = y.strides[1];
    const Line& inner = params->lines[params->line_count - 1];
    block.grid_position = inner.grid;
    block.y_position = inner.y;
    params->x_image = x.strides[0];
    params->y_image = y.strides[0];
    params->grid_image = grid.strides[0];
}

// grid_sample(x, grid) -> y; attributes mode, padding, align_corners.
Status bind_grid_sample(const OpDesc& desc, BoundOp* bound) {
    auto params = std::make_shared<GridParams>();
    params->block = {};
    if (Status status = check_shapes(desc); !status.ok) return status;
    if (Status status = read_names(desc.attributes, &params->block); !status.ok) return status;
    const Tensor &x = desc.in(0), &grid = desc.in(1), &y = desc.out(0);
    if (element_count(y) == 0) {
        bound->run = run_nothing;
        return {};
    }
    set_lines(grid, y, params.get());
    set_block(x, grid, y, params.get());
    const Line& inner = params->lines[params->line_count - 1];
    params->blocks_per_line = ceil_div(inner.extent, kGridBlock);
    params->blocks = x.shape[0] * params->blocks_per_line;
    for (int i = 0; i + 1 < params->line_count; ++i) params->blocks *= params->lines[i].extent;
    double taps = 1;
    for (int axis = params->block.first_axis; axis < kGridAxes; ++axis)
        taps *= params->block.mode == GridMode::nearest  ? 1
                : params->block.mode == GridMode::linear ? 2
                                                         : 4;
    const int64_t read =
        std::min<int64_t>(inner.extent, kGridBlock) * x.shape[1] * static_cast<int64_t>(taps);
    params->blocks_per_chunk = std::max<int64_t>(1, kChunk / std::max<int64_t>(1, read));

    const bool contiguous = x.shape[1] > 1 && x.strides[1] == 1 && y.strides[1] == 1;
    const char* function = contiguous ? "grid_sample_channels_f32" : "grid_sample_planes_f32";
    params->kernel = select<GridBlock>(kKernels, function, desc.allowed, &bound->kernel);
    bound->run = run_grid_sample;
    bound->params = params;
    bound->flops = 2.0 * taps * static_cast<double>(element_count(y));
    bound->bytes =
        4.0 * static_cast<double>(element_count(x) + element_count(grid) + element_count(y));
    return {};
}

const OpEntry kOps[] = {{"grid_sample", bind_grid_sample}};

}  // namespace

Family grid_family() { return make_family("grid", kOps, kKernels); }

}  // namespace hades
