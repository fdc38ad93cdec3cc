#include "kernels/cutout/cutout.h"

#include "base/registry.h"
#include "base/rounding.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/cutout/cutout.inc"
#undef HADES_KERNEL
};

struct CutoutParams {
    CutoutKernel* kernel;
    CutoutArgs args;  // pointers are filled in per run
};

void run_cutout(const void* params, void* const* operands, Worker& worker) {
    const auto& cutout = *static_cast<const CutoutParams*>(params);
    CutoutArgs args = cutout.args;
    args.image = static_cast<const uint8_t*>(operands[0]);
    args.alpha = static_cast<const uint8_t*>(operands[1]);
    args.rgba = static_cast<uint8_t*>(operands[2]);
    auto run_step = [&](CutoutStep step, int64_t chunks) {
        parallel_for(worker, chunks,
                     [&](int64_t i) { cutout.kernel(args, step, i, worker.scratch); });
    };
    if (args.estimate) {
        args.sums = static_cast<uint32_t*>(worker.shared);
        args.prior = reinterpret_cast<uint8_t*>(args.sums + args.cell_rows * args.cell_cols * 8);
        run_step(CutoutStep::cells, args.cell_rows);
        sync(worker);
        run_step(CutoutStep::prior, ceil_div(args.cell_cols, kCutoutCellBlock));
        sync(worker);
    }
    run_step(CutoutStep::strip, ceil_div(args.height, kCutoutTileRows));
}

Status check_operands(const OpDesc& desc) {
    if (desc.inputs.size() != 2 || desc.outputs.size() != 1)
        return invalid("cut_out takes image, alpha and gives rgba");
    const Tensor &image = desc.in(0), &alpha = desc.in(1), &rgba = desc.out(0);
    if (image.dtype != DType::u8 || alpha.dtype != DType::u8 || rgba.dtype != DType::u8)
        return invalid("cut_out: image, alpha and rgba must be uint8");
    if (image.rank != 3 || alpha.rank != 2 || rgba.rank != 3 || image.shape[2] != 3 ||
        rgba.shape[2] != 4)
        return invalid("cut_out: shapes must be image [h, w, 3], alpha [h, w], rgba [h, w, 4]");
    for (int axis = 0; axis < 2; ++axis)
        if (image.shape[axis] != alpha.shape[axis] || image.shape[axis] != rgba.shape[axis])
            return invalid("cut_out: image, alpha and rgba must have the same height and width");
    if (alpha.strides[1] != 1 || image.strides[1] != 3 || image.strides[2] != 1 ||
        rgba.strides[1] != 4 || rgba.strides[2] != 1)
        return invalid("cut_out: rows must be contiguous");
    return {};
}

// cut_out(image u8 [h, w, 3], alpha u8 [h, w]) -> rgba u8 [h, w, 4];
// attributes estimate (1: foreground colours where alpha is soft), keep_hidden (0: zero colour
// where alpha is zero).
Status bind_cut_out(const OpDesc& desc, BoundOp* bound) {
    Status status = check_operands(desc);
    if (!status.ok) return status;
    const Tensor& image = desc.in(0);
    auto params = std::make_shared<CutoutParams>();
    params->kernel = select<CutoutKernel>(kKernels, "cut_out_u8", desc.allowed, &bound->kernel);

    CutoutArgs& args = params->args;
    args = {};
    args.height = image.shape[0];
    args.width = image.shape[1];
    args.image_stride = image.strides[0];
    args.alpha_stride = desc.in(1).strides[0];
    args.rgba_stride = desc.out(0).strides[0];
    args.estimate = desc.attributes.integer("estimate", 1) != 0;
    args.keep_hidden = desc.attributes.integer("keep_hidden", 0) != 0;
    // Nine samples per cell suffice for an average over 529 cells, at any size of image.
    const int64_t side = args.height > args.width ? args.height : args.width;
    args.cell = side > 0 ? ceil_div(side, kCutoutMaxCells) : 1;
    args.cell_step = ceil_div(args.cell, 3);
    args.cell_rows = ceil_div(args.height, args.cell);
    args.cell_cols = ceil_div(args.width, args.cell);

    const auto cells = static_cast<size_t>(args.cell_rows * args.cell_cols);
    bound->run = run_cutout;
    bound->params = params;
    bound->worker_scratch_bytes = static_cast<size_t>(cutout_scratch_bytes());
    bound->shared_scratch_bytes = cells * 8 * (sizeof(uint32_t) + sizeof(uint8_t));
    bound->bytes = 8.0 * static_cast<double>(args.height) * static_cast<double>(args.width);
    return {};
}

const OpEntry kOps[] = {{"cut_out", bind_cut_out}};

}  // namespace

Family cutout_family() { return make_family("cutout", kOps, kKernels); }

}  // namespace hades
