#include "kernels/conv/conv.h"

#include <cstring>
#include <string>

#include "base/registry.h"
#include "kernels/conv/pack.h"
#include "kernels/conv/plan.h"
#include "kernels/conv/shape.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/conv/conv.inc"
#undef HADES_KERNEL
};

// Up to this many output channels per group the lanes of the direct kernel would mostly idle.
constexpr int64_t kDotOutputs = 4;

struct ConvParams {
    ConvKernel* kernel;
    ConvShape shape;
    ConvPlan plan;
    ConvPacking packing;
    bool packs_per_run;  // the weights are not constant
};

void run_conv(const void* params, void* const* operands, Worker& worker) {
    const auto& conv = *static_cast<const ConvParams*>(params);
    const float* weights = static_cast<const float*>(operands[1]);
    if (conv.packs_per_run) {
        auto* packed = static_cast<float*>(worker.shared);
        parallel_for(worker, conv.packing.parts(),
                     [&](int64_t part) { conv.packing.pack_part(part, weights, packed); });
        sync(worker);
        weights = packed;
    }
    parallel_for(worker, chunk_count(conv.plan), [&](int64_t index) {
        ConvArgs args;
        args.shape = &conv.shape;
        args.plan = &conv.plan;
        args.chunk = chunk_at(conv.plan, index);
        args.x = static_cast<const float*>(operands[0]);
        args.w = weights;
        args.bias = static_cast<const float*>(operands[2]);
        args.residual = static_cast<const float*>(operands[3]);
        args.y = static_cast<float*>(operands[4]);
        args.scratch = static_cast<float*>(worker.scratch);
        conv.kernel(args);
    });
}

void run_nothing(const void*, void* const*, Worker&) {}

void pack_weights(const void* params, const void* source, void* packed) {
    const ConvPacking& packing = static_cast<const ConvParams*>(params)->packing;
    for (int64_t part = 0; part < packing.parts(); ++part)
        packing.pack_part(part, static_cast<const float*>(source), static_cast<float*>(packed));
}

// The vector length that the direct kernel of the best allowed tier packs its weights for.
int packed_lanes(IsaMask allowed) {
    if ((tier::avx512 & ~allowed) == 0) return 16;
    if ((tier::avx2 & ~allowed) == 0) return 8;
    return kScalarConvLanes;
}

bool is_depthwise(const ConvShape& s) { return s.ic == 1 && s.groups > 1; }

// Chooses kernel, blocking and packing.
Status choose_algorithm(const OpDesc& desc, ConvParams* params, const char** name) {
    const ConvShape& s = params->shape;
    const std::string algorithm = desc.attributes.text("algorithm", "auto");
    if (algorithm != "auto" && algorithm != "direct" && algorithm != "winograd")
        return invalid("conv2d: algorithm \"%s\" is none of auto, direct, winograd",
                       algorithm.c_str());
    if (algorithm == "winograd" && !winograd_fits(s))
        return invalid("conv2d: winograd is for 3x3 kernels, strides 1, dilations 1, groups 1");
    const bool vectors = (desc.allowed & kAvx2) != 0;
    const int lanes = packed_lanes(desc.allowed);
    if (is_depthwise(s)) {
        params->kernel = select<ConvKernel>(kKernels, "conv_depthwise_f32", desc.allowed, name);
        params->plan = plan_depthwise(s);
        params->packing = depthwise_packing(s);
    } else if (algorithm == "winograd" || (algorithm == "auto" && vectors && winograd_pays(s))) {
        params->kernel = select<ConvKernel>(kKernels, "conv_winograd_f32", desc.allowed, name);
        params->plan = plan_winograd(s, lanes);
        params->packing = winograd_packing(s, 2 * lanes, lanes);
    } else if (s.oc <= kDotOutputs) {
        params->kernel = select<ConvKernel>(kKernels, "conv_dot_f32", desc.allowed, name);
        params->plan = plan_dot(s);
        params->packing = direct_packing(s, 1, 1);
    } else {
        params->kernel = select<ConvKernel>(kKernels, "conv_direct_f32", desc.allowed, name);
        params->plan = plan_direct(s, lanes);
        params->packing = direct_packing(s, 2 * lanes, lanes);
    }
    return {};
}

Status bind_conv2d(const OpDesc& desc, BoundOp* bound) {
    auto params = std::make_shared<ConvParams>();
    Status status = read_conv_shape(desc, &params->shape);
    if (!status.ok) return status;
    if (element_count(desc.out(0)) == 0) {
        bound->run = run_nothing;
        return {};
    }
    join_rows(&params->shape, desc.has(3));
    status = choose_algorithm(desc, params.get(), &bound->kernel);
    if (!status.ok) return status;

    const ConvShape& s = params->shape;
    params->packs_per_run = desc.inputs[1].constant == nullptr;
    if (params->packs_per_run)
        bound->shared_scratch_bytes = params->packing.bytes();
    else
        bound->packs.push_back(
            {1, params->packing.layout(), params->packing.bytes(), pack_weights});
    bound->worker_scratch_bytes =
        static_cast<size_t>(params->plan.staged_elements + params->plan.partial_elements) *
        sizeof(float);
    bound->run = run_conv;
    bound->params = params;
    bound->flops = 2.0 * static_cast<double>(element_count(desc.out(0))) *
                   static_cast<double>(s.ic * s.kernel_h * s.kernel_w);
    bound->bytes =
        sizeof(float) * static_cast<double>(element_count(desc.in(0)) + element_count(desc.in(1)) +
                                            element_count(desc.out(0)));
    return {};
}

const OpEntry kOps[] = {{"conv2d", bind_conv2d}};

}  // namespace

Family conv_family() { return make_family("conv", kOps, kKernels); }

}  // namespace hades
