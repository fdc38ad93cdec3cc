#include "kernels/fold/fold.h"

#include <algorithm>
#include <vector>

#include "base/rounding.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/fold/fold.inc"
#undef HADES_KERNEL
};

constexpr int64_t kChunk = 16384;  // elements read
constexpr int64_t kLargest = int64_t{1} << 31;

struct FoldParams {
    FoldLine* kernel;
    FoldLineArgs line;
    std::vector<int64_t> blocks[kFoldAxes - 1];  // [extent][kernel]
    std::vector<FoldRun> runs;
    int64_t images, channels, lines_per_chunk;
    int64_t columns_image, columns_channel, y_image, y_channel, y_at[kFoldAxes - 1] = {};
};

void run_line(const FoldParams& fold, int64_t index, void* const* operands, float* scratch) {
    FoldLineArgs line = fold.line;
    int64_t y = 0;
    for (int axis = kFoldAxes - 2; axis >= 0; --axis) {
        const int64_t at = index % line.axes[axis].extent;
        index /= line.axes[axis].extent;
        line.blocks[axis] = fold.blocks[axis].data() + at * line.axes[axis].kernel;
        y += at * fold.y_at[axis];
    }
    const int64_t image = index / fold.channels, channel = index % fold.channels;
    line.columns = static_cast<const float*>(operands[0]) + image * fold.columns_image +
                   channel * fold.columns_channel;
    line.y = static_cast<float*>(operands[1]) + image * fold.y_image + channel * fold.y_channel + y;
    line.sums = scratch;
    fold.kernel(line);
}

void run_fold(const void* params, void* const* operands, Worker& worker) {
    const auto& fold = *static_cast<const FoldParams*>(params);
    int64_t lines = fold.images * fold.channels;
    for (int axis = 0; axis < kFoldAxes - 1; ++axis) lines *= fold.line.axes[axis].extent;
    parallel_for(worker, ceil_div(lines, fold.lines_per_chunk), [&](int64_t chunk) {
        const int64_t first = chunk * fold.lines_per_chunk;
        const int64_t last = std::min(first + fold.lines_per_chunk, lines);
        for (int64_t line = first; line < last; ++line)
            run_line(fold, line, operands, static_cast<float*>(worker.scratch));
    });
}

// The block whose tap lies at `position` of an axis, or -1.
int64_t block_at(const FoldAxis& axis, int64_t position, int64_t tap) {
    const int64_t start = position + axis.pad - tap * axis.dilation;
    if (start < 0 || start % axis.stride != 0) return -1;
    const int64_t block = start / axis.stride;
    return block < axis.blocks ? block : -1;
}

// Block 0 of a tap of the last axis lands at `shift`; sums are sorted by the remainder modulo the
// stride, within which neighbouring blocks are neighbours.
FoldRun run_of(const FoldAxis& axis, int64_t tap) {
    const int64_t shift = tap * axis.dilation - axis.pad;
    const int64_t phase = ((shift % axis.stride) + axis.stride) % axis.stride;
    const int64_t first = (shift - phase) / axis.stride;
    const int64_t room = axis.extent > phase ? ceil_div(axis.extent - phase, axis.stride) : 0;
    const int64_t begin = std::max<int64_t>(0, -first);
    const int64_t end = std::min(axis.blocks, room - first);
    return {begin, phase * phase_length(axis) + first + begin, std::max<int64_t>(0, end - begin)};
}

void make_tables(FoldParams* params) {
    const FoldLineArgs& line = params->line;
    for (int i = 0; i < kFoldAxes - 1; ++i)
        for (int64_t at = 0; at < line.axes[i].extent; ++at)
            for (int64_t tap = 0; tap < line.axes[i].kernel; ++tap)
                params->blocks[i].push_back(block_at(line.axes[i], at, tap));
    const FoldAxis& last = line.axes[kFoldAxes - 1];
    for (int64_t tap = 0; tap < last.kernel; ++tap) params->runs.push_back(run_of(last, tap));
    params->line.runs = params->runs.data();
}

// The window along each axis; single positions in front of those that are there.
Status read_axes(const OpDesc& desc, FoldLineArgs* line) {
    const Tensor& y = desc.out(0);
    const auto axes = static_cast<size_t>(y.rank - 2);
    const auto kernel = desc.attributes.integers("kernel");
    const auto strides = desc.attributes.integers("strides", std::vector<int64_t>(axes, 1));
    const auto dilations = desc.attributes.integers("dilations", std::vector<int64_t>(axes, 1));
    const auto pads = desc.attributes.integers("pads", std::vector<int64_t>(2 * axes, 0));
    if (kernel.size() != axes || strides.size() != axes || dilations.size() != axes ||
        pads.size() != 2 * axes)
        return invalid("fold: kernel, strides, dilations and pads must fit %d axes",
                       static_cast<int>(axes));
    for (FoldAxis& axis : line->axes) axis = {1, 1, 1, 1, 0, 1};
    for (size_t i = 0; i < axes; ++i) {
        const int64_t extent = y.shape[2 + i], end = pads[axes + i];
        if (kernel[i] < 1 || strides[i] < 1 || dilations[i] < 1 || pads[i] < 0 || end < 0 ||
            std::max({kernel[i], strides[i], dilations[i], pads[i], end, extent}) >= kLargest)
            return invalid("fold: kernel, strides and dilations must be at least 1, pads 0");
        const int64_t room = extent + pads[i] + end - (kernel[i] - 1) * dilations[i] - 1;
        if (room < 0) return invalid("fold: a window does not fit into the image");
        line->axes[kFoldAxes - axes + i] = {extent,  room / strides[i] + 1, kernel[i], strides[i],
                                            pads[i], dilations[i]};
    }
    return {};
}

// fold(columns [n, c * taps, blocks]) -> y [n, c, *image]; attributes kernel, strides, pads,
// dilations.
Status bind_fold(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 1 || desc.outputs.size() != 1 || !desc.has(0))
        return invalid("fold takes columns and gives y");
    const Tensor &columns = desc.in(0), &y = desc.out(0);
    if (columns.dtype != DType::f32 || y.dtype != DType::f32 || columns.rank != 3)
        return invalid("fold: columns must be float32 [n, c * taps, blocks], y float32");
    if (y.rank < 3 || y.rank > 2 + kFoldAxes)
        return invalid("fold: y must have one to three axes after [n, c]");
    auto params = std::make_shared<FoldParams>();
    FoldLineArgs& line = params->line;
    line = {};
    if (Status status = read_axes(desc, &line); !status.ok) return status;
    int64_t taps = 1, blocks = 1;
    for (const FoldAxis& axis : line.axes) taps *= axis.kernel, blocks *= axis.blocks;
    if (columns.shape[0] != y.shape[0] || columns.shape[1] != y.shape[1] * taps ||
        columns.shape[2] != blocks)
        return invalid("fold: columns must be [%lld, %lld, %lld]",
                       static_cast<long long>(y.shape[0]),
                       static_cast<long long>(y.shape[1] * taps), static_cast<long long>(blocks));
    if (element_count(y) == 0) {
        bound->run = run_nothing;
        return {};
    }
    if ((blocks > 1 && columns.strides[2] != 1) ||
        (columns.shape[1] > 1 && columns.strides[1] != blocks))
        return invalid("fold: the columns of an image must be contiguous");
    params->images = y.shape[0], params->channels = y.shape[1];
    params->columns_image = columns.strides[0], params->columns_channel = taps * blocks;
    params->y_image = y.strides[0], params->y_channel = y.strides[1];
    for (int axis = 0; axis < y.rank - 3; ++axis)
        params->y_at[kFoldAxes - (y.rank - 2) + axis] = y.strides[2 + axis];
    line.y_pixel = y.strides[y.rank - 1];
    const FoldAxis& last = line.axes[kFoldAxes - 1];
    params->lines_per_chunk =
        std::max<int64_t>(1, kChunk / std::max<int64_t>(1, last.extent * last.kernel));
    make_tables(params.get());
    params->kernel = select<FoldLine>(kKernels, "fold_f32", desc.allowed, &bound->kernel);
    bound->worker_scratch_bytes =
        static_cast<size_t>(phase_length(last) * last.stride) * sizeof(float);
    bound->run = run_fold;
    bound->params = params;
    bound->flops = static_cast<double>(element_count(columns));
    bound->bytes = 4.0 * static_cast<double>(element_count(columns) + element_count(y));
    return {};
}

const OpEntry kOps[] = {{"fold", bind_fold}};

}  // namespace

Family fold_family() { return make_family("fold", kOps, kKernels); }

}  // namespace hades
