#include "kernels/qconv/qconv.h"

#include "base/registry.h"
#include "kernels/families.h"
#include "kernels/qconv/operands.h"
#include "kernels/qconv/pack.h"
#include "kernels/qconv/plan.h"
#include "kernels/tile/read_conv_shape.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/qconv/qconv.inc"
#undef HADES_KERNEL
};

struct QconvParams {
    QconvKernel kernel;
    QconvShape shape;
    QconvPlan plan;
    QconvPacking packing;
    bool packs_per_run;  // the weights are not constant
    bool reads_zero;     // the zero point of x is an operand
    int y;               // the operand
};

void run_qconv(const void* params, void* const* operands, Worker& worker) {
    const auto& conv = *static_cast<const QconvParams*>(params);
    const auto* weights = static_cast<const uint8_t*>(operands[1]);
    if (conv.packs_per_run) {
        const auto* source = static_cast<const int8_t*>(operands[1]);
        auto* packed = static_cast<uint8_t*>(worker.shared);
        parallel_for(worker, conv.packing.parts(),
                     [&](int64_t part) { conv.packing.pack_part(part, source, packed); });
        sync(worker);
        weights = packed;
    }
    QconvShape shape = conv.shape;
    if (conv.reads_zero) shape.x_zero = *static_cast<const uint8_t*>(operands[6]);
    parallel_for(worker, chunk_count(shape.conv, conv.plan), [&](int64_t index) {
        QconvArgs args;
        args.shape = &shape;
        args.plan = &conv.plan;
        args.chunk = chunk_at(shape.conv, conv.plan, index);
        args.x = static_cast<const uint8_t*>(operands[0]);
        args.w = weights;
        args.bias = static_cast<const int32_t*>(operands[2]);
        args.factor = static_cast<const float*>(operands[3]);
        args.offset = static_cast<const float*>(operands[4]);
        args.residual = operands[5];
        args.y = operands[conv.y];
        args.scratch = static_cast<uint8_t*>(worker.scratch);
        conv.kernel.run(args);
    });
}

void pack_weights(const void* params, const void* source, void* packed) {
    const QconvPacking& packing = static_cast<const QconvParams*>(params)->packing;
    for (int64_t part = 0; part < packing.parts(); ++part)
        packing.pack_part(part, static_cast<const int8_t*>(source), static_cast<uint8_t*>(packed));
}

double bytes_of(const Tensor& t) {
    return static_cast<double>(element_count(t)) * static_cast<double>(size_of(t.dtype));
}

// Chooses kernel, blocking and packing of a shape; `o_stride` and `i_stride` are those of w.
Status bind(const OpDesc& desc, const std::shared_ptr<QconvParams>& params, int64_t o_stride,
            int64_t i_stride, BoundOp* bound) {
    const ConvShape& s = params->shape.conv;
    const bool depthwise =
        s.ic == 1 && s.oc == 1 && s.groups > 1 && s.kernel_h <= kMostDepthwiseRows;
    const char* function = depthwise ? "qconv_depthwise_u8" : "qconv_u8";
    params->kernel = select<QconvProvider>(kKernels, function, desc.allowed, &bound->kernel)();
    params->plan = (depthwise ? plan_depthwise : plan_qconv)(s, params->kernel);
    QconvPacking& packing = params->packing;
    packing = {};
    packing.groups = s.groups, packing.ic = s.ic, packing.oc = s.oc;
    packing.kernel_h = s.kernel_h, packing.kernel_w = s.kernel_w;
    packing.lanes = params->kernel.lanes, packing.vectors = params->kernel.vectors;
    packing.merged_taps = params->plan.merged_taps;
    packing.saturates = params->kernel.saturates;
    packing.depthwise = depthwise;
    packing.o_stride = o_stride, packing.i_stride = i_stride;
    packing.most_extra = packing.count_extra(static_cast<const int8_t*>(desc.inputs[1].constant));
    params->plan.block_bytes = static_cast<int64_t>(packing.block_bytes());
    params->plan.group_bytes = static_cast<int64_t>(packing.group_bytes());
    params->reads_zero = desc.has(6);
    params->y = static_cast<int>(desc.inputs.size());
    params->packs_per_run = desc.inputs[1].constant == nullptr;
    if (params->packs_per_run)
        bound->shared_scratch_bytes = params->packing.bytes();
    else
        bound->packs.push_back(
            {1, params->packing.layout(), params->packing.bytes(), pack_weights});
    bound->worker_scratch_bytes = static_cast<size_t>(params->plan.staged_bytes);
    bound->run = run_qconv;
    bound->params = params;
    bound->flops = 2.0 * static_cast<double>(element_count(desc.out(0))) *
                   static_cast<double>(s.ic * s.kernel_h * s.kernel_w);
    bound->bytes = bytes_of(desc.in(0)) + bytes_of(desc.in(1)) + bytes_of(desc.out(0));
    return {};
}

// qconv2d(x, w, bias, factor, offset, residual, zero?) -> y
Status bind_qconv2d(const OpDesc& desc, BoundOp* bound) {
    auto params = std::make_shared<QconvParams>();
    const Status status = read_qconv2d(desc, &params->shape);
    if (!status.ok) return status;
    if (element_count(desc.out(0)) == 0) {
        bound->run = run_nothing;
        return {};
    }
    join_rows(&params->shape.conv, desc.has(5));
    const Tensor& w = desc.in(1);
    const int64_t taps = w.shape[2] * w.shape[3];
    return bind(desc, params, w.shape[1] * taps, taps, bound);
}

// qlinear(a, b, bias, factor, offset, residual, zero?) -> y
Status bind_qlinear(const OpDesc& desc, BoundOp* bound) {
    auto params = std::make_shared<QconvParams>();
    const Status status = read_qlinear(desc, &params->shape);
    if (!status.ok) return status;
    if (element_count(desc.out(0)) == 0) {
        bound->run = run_nothing;
        return {};
    }
    return bind(desc, params, desc.in(1).strides[1], desc.in(1).strides[0], bound);
}

const OpEntry kOps[] = {{"qconv2d", bind_qconv2d}, {"qlinear", bind_qlinear}};

}  // namespace

Family qconv_family() { return make_family("qconv", kOps, kKernels); }

}  // namespace hades
