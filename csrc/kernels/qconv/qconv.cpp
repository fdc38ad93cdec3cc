#include "kernels/qconv/qconv.h"

#include <string>
#include <variant>

#include "base/registry.h"
#include "kernels/families.h"
#include "kernels/qconv/operands.h"
#include "kernels/qconv/pack.h"
#include "kernels/qconv/plan.h"
#include "kernels/qconv/winograd_pack.h"
#include "kernels/tile/read_conv_shape.h"
#include "kernels/tile/winograd_tiles.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/qconv/qconv.inc"
#undef HADES_KERNEL
};

using Packing = std::variant<QconvPacking, WinogradPacking>;

struct QconvParams {
    QconvKernel kernel;
    QconvShape shape;
    QconvPlan plan;
    Packing packing;
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
        std::visit(
            [&](const auto& packing) {
                parallel_for(worker, packing.parts(),
                             [&](int64_t part) { packing.pack_part(part, source, packed); });
            },
            conv.packing);
        sync(worker);
        weights = packed;
    }
    QconvShape shape = conv.shape;
    if (conv.reads_zero) shape.x_zero = *static_cast<const uint8_t*>(operands[6]);
    parallel_for(worker, chunk_count(conv.plan), [&](int64_t index) {
        QconvArgs args;
        args.shape = &shape;
        args.plan = &conv.plan;
        args.chunk = chunk_at(conv.plan, index);
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
    const auto pack = [&](const auto& packing) {
        for (int64_t part = 0; part < packing.parts(); ++part)
            packing.pack_part(part, static_cast<const int8_t*>(source),
                              static_cast<uint8_t*>(packed));
    };
    std::visit(pack, static_cast<const QconvParams*>(params)->packing);
}

double bytes_of(const Tensor& t) {
    return static_cast<double>(element_count(t)) * static_cast<double>(size_of(t.dtype));
}

QconvKernel kernel_of(const char* function, IsaMask allowed, const char** name) {
    return select<QconvProvider>(kKernels, function, allowed, name)();
}

// Weights as they are given: taps are contiguous, `o` and `i` strides apart.
struct Weights {
    const int8_t* constant;  // nullptr where they are computed
    int64_t o_stride, i_stride;
};

QconvPacking packing_of(const QconvParams& params, const Weights& w) {
    const ConvShape& s = params.shape.conv;
    QconvPacking packing = {};
    packing.groups = s.groups, packing.ic = s.ic, packing.oc = s.oc;
    packing.kernel_h = s.kernel_h, packing.kernel_w = s.kernel_w;
    packing.lanes = params.kernel.lanes, packing.vectors = params.kernel.vectors;
    packing.merged_taps = params.plan.merged_taps;
    packing.saturates = params.kernel.saturates;
    packing.o_stride = w.o_stride, packing.i_stride = w.i_stride;
    return packing;
}

void choose_winograd(const OpDesc& desc, const Weights& w, QconvParams* params, const char** name) {
    const ConvShape& s = params->shape.conv;
    params->kernel = kernel_of("qconv_winograd_u8", desc.allowed, name);
    params->plan = plan_winograd(s, params->kernel, w.constant);
    const WinogradPacking packing = {s.ic, s.oc, params->kernel.lanes, params->plan.block,
                                     params->plan.weight_slice > 0};
    params->plan.group_bytes = static_cast<int64_t>(packing.bytes());
    params->packing = packing;
}

void choose_direct(const OpDesc& desc, const Weights& w, QconvParams* params, const char** name) {
    const ConvShape& s = params->shape.conv;
    const bool depthwise =
        s.ic == 1 && s.oc == 1 && s.groups > 1 && s.kernel_h <= kMostDepthwiseRows;
    const char* function = depthwise ? "qconv_depthwise_u8" : "qconv_u8";
    params->kernel = kernel_of(function, desc.allowed, name);
    params->plan =
        depthwise ? plan_depthwise(s, params->kernel) : plan_qconv(s, params->kernel, false);
    QconvPacking packing = packing_of(*params, w);
    packing.depthwise = depthwise;
    if (packing.splits_many(w.constant)) {
        packing.wide = true, packing.saturates = false;
        params->plan = plan_qconv(s, params->kernel, true);
    }
    packing.most_extra = packing.count_extra(w.constant);
    params->plan.block_bytes = static_cast<int64_t>(packing.block_bytes());
    params->plan.group_bytes = static_cast<int64_t>(packing.group_bytes());
    params->packing = packing;
}

// Chooses kernel, blocking and packing of a shape.
Status bind(const OpDesc& desc, const std::shared_ptr<QconvParams>& params, const Weights& w,
            bool uses_winograd, BoundOp* bound) {
    const ConvShape& s = params->shape.conv;
    if (uses_winograd)
        choose_winograd(desc, w, params.get(), &bound->kernel);
    else
        choose_direct(desc, w, params.get(), &bound->kernel);
    params->reads_zero = desc.has(6);
    params->y = static_cast<int>(desc.inputs.size());
    params->packs_per_run = w.constant == nullptr;
    const auto request = [&](const auto& packing) {
        if (params->packs_per_run)
            bound->shared_scratch_bytes = packing.bytes();
        else
            bound->packs.push_back({1, packing.layout(), packing.bytes(), pack_weights});
    };
    std::visit(request, params->packing);
    bound->worker_scratch_bytes =
        static_cast<size_t>(params->plan.staged_bytes + params->plan.product_bytes +
                            params->plan.sum_bytes + params->plan.late_weight_bytes);
    bound->run = run_qconv;
    bound->params = params;
    bound->flops = 2.0 * static_cast<double>(element_count(desc.out(0))) *
                   static_cast<double>(s.ic * s.kernel_h * s.kernel_w);
    bound->bytes = bytes_of(desc.in(0)) + bytes_of(desc.in(1)) + bytes_of(desc.out(0));
    return {};
}

// What the attribute `algorithm` wishes, or what pays.
Status choose_algorithm(const OpDesc& desc, const ConvShape& s, bool* uses_winograd) {
    const std::string wish = desc.attributes.text("algorithm", "auto");
    if (wish != "auto" && wish != "direct" && wish != "winograd")
        return invalid("qconv2d: algorithm \"%s\" is none of auto, direct, winograd", wish.c_str());
    if (wish == "winograd" && !winograd_fits(s))
        return invalid(
            "qconv2d: winograd is for 3x3 kernels, strides 1, dilations up to 64, groups 1");
    const char* name;
    const QconvKernel direct = kernel_of("qconv_u8", desc.allowed, &name);
    *uses_winograd = wish == "winograd" || (wish == "auto" && winograd_pays(s, direct));
    return {};
}

// qconv2d(x, w, bias, factor, offset, residual, zero?) -> y
Status bind_qconv2d(const OpDesc& desc, BoundOp* bound) {
    auto params = std::make_shared<QconvParams>();
    Status status = read_qconv2d(desc, &params->shape);
    if (!status.ok) return status;
    if (element_count(desc.out(0)) == 0) {
        bound->run = run_nothing;
        return {};
    }
    join_rows(&params->shape.conv, desc.has(5));
    const int64_t taps = desc.in(1).shape[2] * desc.in(1).shape[3];
    const Weights w = {static_cast<const int8_t*>(desc.inputs[1].constant),
                       desc.in(1).shape[1] * taps, taps};
    bool uses_winograd = false;
    status = choose_algorithm(desc, params->shape.conv, &uses_winograd);
    return status.ok ? bind(desc, params, w, uses_winograd, bound) : status;
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
    const Weights w = {static_cast<const int8_t*>(desc.inputs[1].constant), desc.in(1).strides[1],
                       desc.in(1).strides[0]};
    return bind(desc, params, w, false, bound);
}

const OpEntry kOps[] = {{"qconv2d", bind_qconv2d}, {"qlinear", bind_qlinear}};

}  // namespace

Family qconv_family() { return make_family("qconv", kOps, kKernels); }

}  // namespace hades
