#include "kernels/norm/norm.h"

#include "base/registry.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/norm/norm.inc"
#undef HADES_KERNEL
};

struct NormParams {
    NormRows* kernel;
    NormRowsArgs args;  // pointers are filled in per run
    int64_t rows_per_chunk;
};

// Chunks of about 64 KiB: large enough to hide the claim, small enough to balance.
int64_t rows_per_chunk(int64_t n) {
    const int64_t rows = 16384 / (n > 0 ? n : 1);
    return rows > 0 ? rows : 1;
}

void run_norm(const void* params, void* const* operands, Worker& worker) {
    const auto& norm = *static_cast<const NormParams*>(params);
    const int64_t chunks = (norm.args.rows + norm.rows_per_chunk - 1) / norm.rows_per_chunk;
    parallel_for(worker, chunks, [&](int64_t chunk) {
        const int64_t first = chunk * norm.rows_per_chunk;
        NormRowsArgs args = norm.args;
        args.x = static_cast<const float*>(operands[0]) + first * args.x_stride;
        args.weight = static_cast<const float*>(operands[1]);
        args.residual = static_cast<const float*>(operands[2]);
        if (args.residual) args.residual += first * args.residual_stride;
        args.y = static_cast<float*>(operands[3]) + first * args.y_stride;
        args.rows = args.rows - first < norm.rows_per_chunk ? args.rows - first : norm.rows_per_chunk;
        norm.kernel(args);
    });
}

// rms_norm(x [rows, n], weight [n]?, residual [rows, n]?) -> y [rows, n]; attribute epsilon.
Status bind_rms_norm(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 3 || desc.outputs.size() != 1)
        return invalid("rms_norm takes x, weight, residual and gives y");
    const Tensor &x = desc.in(0), &y = desc.out(0);
    if (x.rank != 2 || !same_shape(x, y) || x.dtype != DType::f32 || y.dtype != DType::f32)
        return invalid("rms_norm: x and y must be float32 of one shape [rows, n]");
    if (x.strides[1] != 1 || y.strides[1] != 1)
        return invalid("rms_norm: the last axis must be contiguous");

    auto params = std::make_shared<NormParams>();
    params->kernel = select<NormRows>(kKernels, "rms_norm_f32", desc.allowed, &bound->kernel);
    params->args = {};
    params->args.rows = x.shape[0];
    params->args.n = x.shape[1];
    params->args.x_stride = x.strides[0];
    params->args.y_stride = y.strides[0];
    params->args.residual_stride = desc.has(2) ? desc.in(2).strides[0] : 0;
    params->args.epsilon = static_cast<float>(desc.attributes.real("epsilon", 1e-5));
    params->rows_per_chunk = rows_per_chunk(x.shape[1]);
    bound->run = run_norm;
    bound->params = params;
    bound->flops = 4.0 * static_cast<double>(element_count(x));
    bound->bytes = 8.0 * static_cast<double>(element_count(x));
    return {};
}

const OpEntry kOps[] = {{"rms_norm", bind_rms_norm}};

}  // namespace

Family norm_family() { return make_family("norm", kOps, kKernels); }

}  // namespace hades
