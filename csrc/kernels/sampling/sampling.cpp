#include "kernels/sampling/sampling.h"

#include "base/operand_shapes.h"
#include "base/registry.h"
#include "base/rounding.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/sampling/sampling.inc"
#undef HADES_KERNEL
};

struct SamplingParams {
    Sample* kernel;
    int64_t rows, n, row;
};

void run_sample(const void* params, void* const* operands, Worker& worker) {
    const auto& s = *static_cast<const SamplingParams*>(params);
    parallel_for(worker, s.rows, [&](int64_t row) {
        SampleArgs args = {};
        args.logits = static_cast<const float*>(operands[0]) + row * s.row;
        args.n = s.n;
        args.temperature = static_cast<const float*>(operands[1])[row];
        args.uniform = static_cast<const double*>(operands[2])[row];
        args.sums = static_cast<float*>(worker.scratch);
        static_cast<int32_t*>(operands[3])[row] = static_cast<int32_t>(s.kernel(args));
    });
}

// sample(logits [m, n], temperatures [m], uniforms [m] float64) -> tokens [m] int32.
Status bind_sample(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 3 || desc.outputs.size() != 1)
        return invalid("sample takes logits, temperatures, uniforms and gives tokens");
    const Tensor& logits = desc.in(0);
    if (!is_matrix(logits, DType::f32) || logits.shape[1] < 1)
        return invalid("sample: logits must be float32 [m, n], n at least 1");
    const int64_t rows = logits.shape[0];
    if (!is_vector(desc.in(1), DType::f32) || desc.in(1).shape[0] != rows ||
        !is_vector(desc.in(2), DType::f64) || desc.in(2).shape[0] != rows ||
        !is_vector(desc.out(0), DType::i32) || desc.out(0).shape[0] != rows)
        return invalid("sample: temperatures float32, uniforms float64 and tokens int32 [%ld]",
                       long(rows));
    auto params = std::make_shared<SamplingParams>();
    params->kernel = select<Sample>(kKernels, "sample_f32", desc.allowed, &bound->kernel);
    params->rows = rows;
    params->n = logits.shape[1];
    params->row = logits.strides[0];
    bound->params = params;
    bound->run = run_sample;
    const auto blocks = static_cast<size_t>(ceil_div(logits.shape[1], kSampleBlock));
    bound->worker_scratch_bytes = blocks * sizeof(float);
    bound->flops = 14.0 * static_cast<double>(element_count(logits));
    bound->bytes = 8.0 * static_cast<double>(element_count(logits));
    return {};
}

const OpEntry kOps[] = {{"sample", bind_sample}};

}  // namespace

Family sampling_family() { return make_family("sampling", kOps, kKernels); }

}  // namespace hades
