#include "kernels/conv/conv.h"

#include <cstring>
#include <string>

#include "base/registry.h"
#include "kernels/conv/pack.h"
#include "kernels/conv/plan.h"
#include "kernels/families.h"
#include "kernels/tile/read_conv_shape.h"
#include "kernels/tile/winograd_tiles.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/conv/conv.inc"
#undef HADES_KERNEL
};

// x, w, bias, residual
constexpr ConvOperands kOperands = {DType::f32, DType::f32, DType::f32, 4, 3, DType::f32};

// Up to this many output channels per group the lanes of the direct kernel mostly idle.
constexpr int64_t kDotOutputs = 4;
// With one or two of them the transforms of a Winograd convolution serve too few products.
constexpr int64_t kDotBeforeWinograd = 2;

struct ConvParams {
    ConvKernel kernel;
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
        conv.kernel.run(args);
    });
}

void pack_weights(const void* params, const void* source, void* packed) {
    const ConvPacking& packing = static_cast<const ConvParams*>(params)->packing;
    for (int64_t part = 0; part < packing.parts(); ++part)
        packing.pack_part(part, static_cast<const float*>(source), static_cast<float*>(packed));
}

// What goes with a kernel function; `lanes` is that of the kernel chosen for it.
struct Algorithm {
    const char* function;
    ConvPlan (*plan)(const ConvShape& shape, int lanes);
    ConvPacking (*packing)(const ConvShape& shape, int lanes);
};
constexpr Algorithm kDirect = {"conv_direct_f32", plan_direct, direct_packing};
constexpr Algorithm kWinograd = {"conv_winograd_f32", plan_winograd, winograd_packing};
constexpr Algorithm kDot = {"conv_dot_f32", plan_dot, dot_packing};
constexpr Algorithm kDepthwise = {"conv_depthwise_f32", plan_depthwise, depthwise_packing};

ConvKernel kernel_of(const Algorithm& algorithm, IsaMask allowed, const char** name) {
    return select<ConvProvider>(kKernels, algorithm.function, allowed, name)();
}

// The definition serves where there are no vectors: without them, transforms cost what they save.
bool chooses_winograd(const ConvShape& s, IsaMask allowed) {
    const char* name;
    const ConvKernel kernel = kernel_of(kWinograd, allowed, &name);
    return kernel.is_vectorised && winograd_pays(s, kernel.lanes);
}

const Algorithm& choose_algorithm(const ConvShape& s, const std::string& wish, IsaMask allowed) {
    if (s.ic == 1 && s.groups > 1) return kDepthwise;
    if (wish == "winograd") return kWinograd;
    const bool few = s.oc <= kDotOutputs && dot_pays(s);
    if (wish == "auto" && !(few && s.oc <= kDotBeforeWinograd) && chooses_winograd(s, allowed))
        return kWinograd;
    return few ? kDot : kDirect;
}

// Few output channels per group leave most lanes of a vector idle.
int64_t join_groups(ConvShape* s, int lanes) {
    const int64_t joined = groups_to_join(*s, lanes);
    s->groups /= joined;
    s->ic *= joined;
    s->oc *= joined;
    return joined;
}

// Chooses kernel, blocking and packing.
Status plan_conv(const OpDesc& desc, ConvParams* params, const char** name) {
    ConvShape& s = params->shape;
    const std::string wish = desc.attributes.text("algorithm", "auto");
    if (wish != "auto" && wish != "direct" && wish != "winograd")
        return invalid("conv2d: algorithm \"%s\" is none of auto, direct, winograd", wish.c_str());
    if (wish == "winograd" && !winograd_fits(s))
        return invalid(
            "conv2d: winograd is for 3x3 kernels, strides 1, dilations up to 64, groups 1");
    const Algorithm& algorithm = choose_algorithm(s, wish, desc.allowed);
    params->kernel = kernel_of(algorithm, desc.allowed, name);
    const int lanes = params->kernel.lanes;
    const int64_t joined = &algorithm == &kDirect ? join_groups(&s, lanes) : 1;
    params->plan = algorithm.plan(s, lanes);
    params->packing = algorithm.packing(s, lanes);
    params->packing.joined = joined;
    return {};
}

Status bind_conv2d(const OpDesc& desc, BoundOp* bound) {
    auto params = std::make_shared<ConvParams>();
    Status status = read_conv_shape(desc, kOperands, &params->shape);
    if (!status.ok) return status;
    if (element_count(desc.out(0)) == 0) {
        bound->run = run_nothing;
        return {};
    }
    const double terms =
        static_cast<double>(params->shape.ic * params->shape.kernel_h * params->shape.kernel_w);
    join_rows(&params->shape, desc.has(3));
    status = plan_conv(desc, params.get(), &bound->kernel);
    if (!status.ok) return status;

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
    bound->flops = 2.0 * static_cast<double>(element_count(desc.out(0))) * terms;
    bound->bytes =
        sizeof(float) * static_cast<double>(element_count(desc.in(0)) + element_count(desc.in(1)) +
                                            element_count(desc.out(0)));
    return {};
}

const OpEntry kOps[] = {{"conv2d", bind_conv2d}};

}  // namespace

Family conv_family() { return make_family("conv", kOps, kKernels); }

}  // namespace hades
