#include "kernels/roof/roof.h"

#include "base/operand_shapes.h"
#include "base/registry.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/roof/roof.inc"
#undef HADES_KERNEL
};

struct ChainsParams {
    RoofChains chains;
    int64_t rounds;
};

void run_chains(const void* params, void* const* operands, Worker& worker) {
    const auto& p = *static_cast<const ChainsParams*>(params);
    parallel_for(worker, 1,
                 [&](int64_t) { p.chains.run(p.rounds, static_cast<float*>(operands[0])); });
}

// -> y [1], the sum of all chains after `rounds` rounds.
Status bind_chains(const OpDesc& desc, const char* function, BoundOp* bound) {
    const char* op = desc.op.c_str();
    if (!desc.inputs.empty() || desc.outputs.size() != 1) return invalid("%s gives y", op);
    if (!is_vector(desc.out(0), DType::f32) || desc.out(0).shape[0] != 1)
        return invalid("%s: y must be float32 [1]", op);
    auto params = std::make_shared<ChainsParams>();
    params->rounds = desc.attributes.integer("rounds", 1);
    if (params->rounds < 0) return invalid("%s: rounds must not be negative", op);
    params->chains = select<RoofProvider>(kKernels, function, desc.allowed, &bound->kernel)();
    bound->params = params;
    bound->run = run_chains;
    bound->flops = static_cast<double>(params->chains.operations * params->rounds);
    return {};
}

Status bind_multiply_add(const OpDesc& desc, BoundOp* bound) {
    return bind_chains(desc, "roof_multiply_add_f32", bound);
}

Status bind_dot(const OpDesc& desc, BoundOp* bound) {
    return bind_chains(desc, "roof_dot_i8", bound);
}

Status bind_dot_bf16(const OpDesc& desc, BoundOp* bound) {
    return bind_chains(desc, "roof_dot_bf16", bound);
}

struct ReadParams {
    RoofRead* kernel;
    int64_t count;
};

void run_read(const void* params, void* const* operands, Worker& worker) {
    const auto& p = *static_cast<const ReadParams*>(params);
    parallel_for(worker, 1, [&](int64_t) {
        p.kernel(static_cast<const float*>(operands[0]), p.count, static_cast<float*>(operands[1]));
    });
}

// roof_read(x [n]) -> y [1], the sum.
Status bind_read(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 1 || desc.outputs.size() != 1)
        return invalid("roof_read takes x and gives y");
    const Tensor& x = desc.in(0);
    if (!is_vector(x, DType::f32) || x.shape[0] % kRoofFloats)
        return invalid("roof_read: x must be float32 [n], contiguous, n a multiple of %ld",
                       long(kRoofFloats));
    if (!is_vector(desc.out(0), DType::f32) || desc.out(0).shape[0] != 1)
        return invalid("roof_read: y must be float32 [1]");
    auto params = std::make_shared<ReadParams>();
    params->kernel = select<RoofRead>(kKernels, "roof_read_f32", desc.allowed, &bound->kernel);
    params->count = x.shape[0];
    bound->params = params;
    bound->run = run_read;
    bound->flops = static_cast<double>(params->count);
    bound->bytes = static_cast<double>(params->count) * sizeof(float);
    return {};
}

const OpEntry kOps[] = {{"roof_multiply_add", bind_multiply_add},
                        {"roof_dot", bind_dot},
                        {"roof_dot_bf16", bind_dot_bf16},
                        {"roof_read", bind_read}};

}  // namespace

RoofKernels roof_kernels(IsaMask allowed) {
    const char* name;
    return {select<RoofProvider>(kKernels, "roof_multiply_add_f32", allowed, &name)(),
            select<RoofProvider>(kKernels, "roof_dot_i8", allowed, &name)(),
            select<RoofProvider>(kKernels, "roof_dot_bf16", allowed, &name)(),
            select<RoofRead>(kKernels, "roof_read_f32", allowed, &name)};
}

Family roof_family() { return make_family("roof", kOps, kKernels); }

}  // namespace hades
