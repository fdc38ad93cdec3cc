#include "kernels/bfloat/bfloat.h"

#include "base/loop_nest.h"
#include "base/registry.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/bfloat/bfloat.inc"
#undef HADES_KERNEL
};

constexpr int64_t kChunk = 16384;  // elements

struct NarrowParams {
    NarrowFn* kernel;
    LoopNest nest;
};

void run_narrow(const void* params, void* const* operands, Worker& worker) {
    const auto& p = *static_cast<const NarrowParams*>(params);
    const LoopNest& nest = p.nest;
    NarrowRun run = {};
    run.x_stride = inner_stride(nest, 0), run.y_stride = inner_stride(nest, 1);
    parallel_for(worker, (nest.count + kChunk - 1) / kChunk, [&](int64_t chunk) {
        const int64_t begin = chunk * kChunk;
        const int64_t end = begin + kChunk < nest.count ? begin + kChunk : nest.count;
        for_each_run(nest, begin, end, [&](const int64_t* offsets, int64_t n) {
            run.x = static_cast<const float*>(operands[0]) + offsets[0];
            run.y = static_cast<uint16_t*>(operands[1]) + offsets[1];
            run.n = n;
            p.kernel(run);
        });
    });
}

// narrow_bf16(x) -> y
Status bind_narrow(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 1 || desc.outputs.size() != 1 || !desc.has(0))
        return invalid("narrow_bf16 takes x and gives y");
    if (desc.in(0).dtype != DType::f32 || desc.out(0).dtype != DType::u16 ||
        !same_shape(desc.in(0), desc.out(0)))
        return invalid("narrow_bf16: x must be float32, and y uint16 of its shape");
    auto params = std::make_shared<NarrowParams>();
    const Tensor* tensors[] = {&desc.in(0), &desc.out(0)};
    params->nest = make_loop_nest(tensors, 2);
    params->kernel = select<NarrowFn>(kKernels, "narrow_bf16", desc.allowed, &bound->kernel);
    bound->params = params;
    bound->run = run_narrow;
    bound->flops = 4 * static_cast<double>(params->nest.count);
    bound->bytes = touched_bytes(desc.in(0)) + touched_bytes(desc.out(0));
    return {};
}

const OpEntry kOps[] = {{"narrow_bf16", bind_narrow}};

}  // namespace

Family bfloat_family() { return make_family("bfloat", kOps, kKernels); }

}  // namespace hades
