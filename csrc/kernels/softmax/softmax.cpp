#include "kernels/softmax/softmax.h"

#include "base/registry.h"
#include "base/rounding.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/softmax/softmax.inc"
#undef HADES_KERNEL
};

struct SoftmaxParams {
    Softmax* kernel;
    SoftmaxArgs args;  // pointers are filled in per run
    int64_t rows_per_chunk;
};

void run_softmax(const void* params, void* const* operands, Worker& worker) {
    const auto& softmax = *static_cast<const SoftmaxParams*>(params);
    const int64_t step = softmax.rows_per_chunk;
    parallel_for(worker, ceil_div(softmax.args.rows, step), [&](int64_t chunk) {
        const int64_t first = chunk * step;
        SoftmaxArgs args = softmax.args;
        args.x = static_cast<const float*>(operands[0]) + first * args.x_stride;
        args.y = static_cast<float*>(operands[1]) + first * args.y_stride;
        args.rows = args.rows - first < step ? args.rows - first : step;
        softmax.kernel(args);
    });
}

// softmax(x [rows, n]) -> y; attribute log 0 or 1.
Status bind_softmax(const OpDesc& desc, BoundOp* bound) {
    constexpr int64_t kChunk = 8192;  // elements: about 10 us of exponentials
    if (desc.inputs.size() != 1 || desc.outputs.size() != 1)
        return invalid("softmax takes x and gives y");
    const Tensor &x = desc.in(0), &y = desc.out(0);
    if (x.rank != 2 || !same_shape(x, y) || x.dtype != DType::f32 || y.dtype != DType::f32)
        return invalid("softmax: x and y must be float32 of one shape [rows, n]");
    if ((x.strides[1] != 1 || y.strides[1] != 1) && x.shape[1] != 1)
        return invalid("softmax: the last axis must be contiguous");
    auto params = std::make_shared<SoftmaxParams>();
    params->kernel = select<Softmax>(kKernels, "softmax_f32", desc.allowed, &bound->kernel);
    params->args = {nullptr,
                    nullptr,
                    x.shape[0],
                    x.shape[1],
                    x.strides[0],
                    y.strides[0],
                    desc.attributes.integer("log", 0) != 0};
    params->rows_per_chunk = x.shape[1] > 0 && x.shape[1] < kChunk ? kChunk / x.shape[1] : 1;
    const auto elements = static_cast<double>(element_count(x));
    bound->run = run_softmax;
    bound->flops = 12.0 * elements;
    bound->bytes = 8.0 * elements;
    bound->params = params;
    return {};
}

const OpEntry kOps[] = {{"softmax", bind_softmax}};

}  // namespace

Family softmax_family() { return make_family("softmax", kOps, kKernels); }

}  // namespace hades
