#include "kernels/bconv/bconv.h"

#include "base/registry.h"
#include "kernels/bconv/operands.h"
#include "kernels/bconv/pack.h"
#include "kernels/bconv/plan.h"
#include "kernels/families.h"
#include "kernels/tile/read_conv_shape.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/bconv/bconv.inc"
#undef HADES_KERNEL
};

struct BconvParams {
    BconvKernel kernel;
    BconvShape shape;
    BconvPlan plan;
    BconvPacking packing;
    bool packs_per_run;  // the weights are not constant
};

void run_bconv(const void* params, void* const* operands, Worker& worker) {
    const auto& conv = *static_cast<const BconvParams*>(params);
    const auto* weights = static_cast<const uint16_t*>(operands[1]);
    if (conv.packs_per_run) {
        auto* packed = static_cast<uint16_t*>(worker.shared);
        parallel_for(worker, conv.packing.parts(),
                     [&](int64_t part) { conv.packing.pack_part(part, weights, packed); });
        sync(worker);
        weights = packed;
    }
    parallel_for(worker, chunk_count(conv.plan), [&](int64_t index) {
        BconvArgs args;
        args.shape = &conv.shape;
        args.plan = &conv.plan;
        args.chunk = chunk_at(conv.plan, index);
        args.x = static_cast<const uint16_t*>(operands[0]);
        args.w = weights;
        args.bias = static_cast<const float*>(operands[2]);
        args.residual = static_cast<const float*>(operands[3]);
        args.y = operands[4];
        args.scratch = static_cast<uint16_t*>(worker.scratch);
        conv.kernel.run(args);
    });
}

void pack_weights(const void* params, const void* source, void* packed) {
    const BconvPacking& packing = static_cast<const BconvParams*>(params)->packing;
    for (int64_t part = 0; part < packing.parts(); ++part)
        packing.pack_part(part, static_cast<const uint16_t*>(source),
                          static_cast<uint16_t*>(packed));
}

double bytes_of(const Tensor& t) {
    return static_cast<double>(element_count(t)) * static_cast<double>(size_of(t.dtype));
}

// Chooses kernel, blocking and packing of a shape; `o_stride` and `i_stride` are those of w.
Status bind(const OpDesc& desc, const std::shared_ptr<BconvParams>& params, int64_t o_stride,
            int64_t i_stride, BoundOp* bound) {
    const ConvShape& s = params->shape.conv;
    params->kernel = select<BconvProvider>(kKernels, "conv_bf16", desc.allowed, &bound->kernel)();
    params->plan = plan_bconv(s, params->kernel);
    params->packing = {s.groups,
                       s.ic,
                       s.oc,
                       s.kernel_h,
                       s.kernel_w,
                       params->kernel.lanes,
                       params->kernel.vectors,
                       params->plan.merged_taps,
                       o_stride,
                       i_stride};
    params->plan.block_elements = params->packing.block_elements();
    params->plan.group_elements = params->packing.blocks() * params->plan.block_elements;
    params->packs_per_run = desc.inputs[1].constant == nullptr;
    if (params->packs_per_run)
        bound->shared_scratch_bytes = params->packing.bytes();
    else
        bound->packs.push_back(
            {1, params->packing.layout(), params->packing.bytes(), pack_weights});
    bound->worker_scratch_bytes =
        static_cast<size_t>(params->plan.staged_elements) * sizeof(uint16_t);
    bound->run = run_bconv;
    bound->params = params;
    bound->flops = 2.0 * static_cast<double>(element_count(desc.out(0))) *
                   static_cast<double>(s.ic * s.kernel_h * s.kernel_w);
    bound->bytes = bytes_of(desc.in(0)) + bytes_of(desc.in(1)) + bytes_of(desc.out(0));
    return {};
}

// conv2d_bf16(x, w, bias, residual) -> y
Status bind_conv2d(const OpDesc& desc, BoundOp* bound) {
    auto params = std::make_shared<BconvParams>();
    const Status status = read_conv2d_bf16(desc, &params->shape);
    if (!status.ok) return status;
    if (element_count(desc.out(0)) == 0) {
        bound->run = run_nothing;
        return {};
    }
    join_rows(&params->shape.conv, desc.has(3));
    const Tensor& w = desc.in(1);
    const int64_t taps = w.shape[2] * w.shape[3];
    return bind(desc, params, w.shape[1] * taps, taps, bound);
}

// linear_bf16(a, b, bias, residual) -> y
Status bind_linear(const OpDesc& desc, BoundOp* bound) {
    auto params = std::make_shared<BconvParams>();
    const Status status = read_linear_bf16(desc, &params->shape);
    if (!status.ok) return status;
    if (element_count(desc.out(0)) == 0) {
        bound->run = run_nothing;
        return {};
    }
    return bind(desc, params, desc.in(1).strides[1], desc.in(1).strides[0], bound);
}

const OpEntry kOps[] = {{"conv2d_bf16", bind_conv2d}, {"linear_bf16", bind_linear}};

}  // namespace

Family bconv_family() { return make_family("bconv", kOps, kKernels); }

}  // namespace hades
