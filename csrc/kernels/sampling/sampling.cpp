#include "kernels/sampling/sampling.h"

#include <algorithm>

#include "base/operand_shapes.h"
#include "base/registry.h"
#include "base/rounding.h"
#include "kernels/families.h"
#include "kernels/sampling/row.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/sampling/sampling.inc"
#undef HADES_KERNEL
};

enum Input { kLogits, kNumbers, kSettings, kUniforms, kFirst, kAdjusted, kBiases, kMasks, kInputs };
enum Output { kTokens, kStatus, kLogprobs, kTopTokens, kTopLogprobs, kOutputs };
// Columns of the operand `numbers`.
enum Number { kRow, kTopK, kLikeliest, kMaskRow, kNumberCount };
constexpr int64_t kSettingCount = sizeof(SampleSettings) / sizeof(double);
constexpr int64_t kAdjustedCount = sizeof(AdjustedToken) / sizeof(int32_t);

struct SamplingParams {
    SamplingKernel kernel;
    int64_t rows, n;
    int64_t row, mask_row;  // elements from one to the next
    int64_t likeliest;      // columns of the reports
};

// Cuts a worker's scratch into arrays, largest elements first, so that all are aligned.
RowMemory memory_of(void* scratch, int64_t n) {
    const int64_t blocks = sample_blocks(n), slack = n + kGatherSlack;
    RowMemory memory;
    SurveyMemory& survey = memory.narrow.survey;
    survey.weights = static_cast<double*>(scratch);
    survey.maxima = reinterpret_cast<float*>(survey.weights + blocks);
    survey.largest = survey.maxima + blocks * kSampleGroups;
    survey.sums = survey.largest + blocks;
    memory.logits = survey.sums + blocks;
    memory.narrow.values = memory.logits + n;
    memory.narrow.between = memory.narrow.values + slack;
    memory.narrow.weights = memory.narrow.between + slack;
    memory.narrow.ids =
        reinterpret_cast<int32_t*>(memory.narrow.weights + std::max(n, blocks * kSampleGroups));
    return memory;
}

size_t memory_bytes(int64_t n) {
    const int64_t blocks = sample_blocks(n), slack = n + kGatherSlack;
    const int64_t words =
        blocks * (kSampleGroups + 2) + n + 3 * slack + std::max(n, blocks * kSampleGroups);
    return static_cast<size_t>(blocks) * sizeof(double) +
           static_cast<size_t>(words) * sizeof(float);
}

SampleRow row_of(const SamplingParams& p, void* const* operands, int64_t row) {
    const auto* numbers = static_cast<const int32_t*>(operands[kNumbers]) + row * kNumberCount;
    SampleRow r = {};
    r.logits = static_cast<const float*>(operands[kLogits]) + numbers[kRow] * p.row;
    r.n = p.n;
    r.settings = static_cast<const SampleSettings*>(operands[kSettings])[row];
    r.top_k = numbers[kTopK];
    r.uniform = static_cast<const double*>(operands[kUniforms])[row];
    r.wants_logprob = numbers[kLikeliest] >= 0;
    r.likeliest = numbers[kLikeliest] < p.likeliest ? numbers[kLikeliest] : p.likeliest;
    if (operands[kFirst]) {
        const auto* first = static_cast<const int32_t*>(operands[kFirst]) + row;
        r.adjusted = static_cast<const AdjustedToken*>(operands[kAdjusted]) + first[0];
        r.biases = static_cast<const float*>(operands[kBiases]) + first[0];
        r.adjusted_count = first[1] - first[0];
    }
    if (operands[kMasks] && numbers[kMaskRow] >= 0)
        r.mask = static_cast<const uint32_t*>(operands[kMasks]) + numbers[kMaskRow] * p.mask_row;
    return r;
}

void run_sample(const void* params, void* const* operands, Worker& worker) {
    const auto& p = *static_cast<const SamplingParams*>(params);
    const RowMemory memory = memory_of(worker.scratch, p.n);
    void* const* outputs = operands + kInputs;
    parallel_for(worker, p.rows, [&](int64_t row) {
        SampledRow sampled = {};
        sampled.top_tokens = static_cast<int32_t*>(outputs[kTopTokens]) + row * p.likeliest;
        sampled.top_logprobs = static_cast<float*>(outputs[kTopLogprobs]) + row * p.likeliest;
        sample_row(p.kernel, row_of(p, operands, row), memory, &sampled);
        static_cast<int32_t*>(outputs[kTokens])[row] = sampled.token;
        static_cast<int32_t*>(outputs[kStatus])[row] = sampled.status;
        static_cast<float*>(outputs[kLogprobs])[row] = sampled.logprob;
    });
}

bool is_rows(const Tensor& t, DType dtype, int64_t rows, int64_t columns) {
    return t.dtype == dtype && t.rank == 2 && is_contiguous(t) && t.shape[0] == rows &&
           t.shape[1] == columns;
}

bool is_row_vector(const Tensor& t, DType dtype, int64_t rows) {
    return is_vector(t, dtype) && t.shape[0] == rows;
}

Status check_settings(const OpDesc& desc, int64_t rows) {
    if (!is_rows(desc.in(kNumbers), DType::i32, rows, kNumberCount))
        return invalid("sample: numbers must be int32 [%ld, %d]", long(rows), int(kNumberCount));
    if (!is_rows(desc.in(kSettings), DType::f64, rows, kSettingCount))
        return invalid("sample: settings must be float64 [%ld, %ld]", long(rows),
                       long(kSettingCount));
    if (!is_row_vector(desc.in(kUniforms), DType::f64, rows))
        return invalid("sample: uniforms must be float64 [%ld]", long(rows));
    return {};
}

Status check_changes(const OpDesc& desc, int64_t rows, int64_t n) {
    if (desc.has(kFirst) != desc.has(kAdjusted) || desc.has(kFirst) != desc.has(kBiases))
        return invalid("sample: first, adjusted and biases belong together");
    if (desc.has(kFirst)) {
        const int64_t tokens = desc.in(kBiases).shape[0];
        if (!is_row_vector(desc.in(kFirst), DType::i32, rows + 1))
            return invalid("sample: first must be int32 [%ld]", long(rows + 1));
        if (!is_vector(desc.in(kBiases), DType::f32) ||
            !is_rows(desc.in(kAdjusted), DType::i32, tokens, kAdjustedCount))
            return invalid("sample: adjusted must be int32 [a, %ld], biases float32 [a]",
                           long(kAdjustedCount));
    }
    const int64_t words = ceil_div(n, 32);
    if (desc.has(kMasks) &&
        (!is_matrix(desc.in(kMasks), DType::u32) || desc.in(kMasks).shape[1] != words))
        return invalid("sample: masks must be uint32 [any, %ld]", long(words));
    return {};
}

Status check_results(const OpDesc& desc, int64_t rows) {
    if (!is_row_vector(desc.out(kTokens), DType::i32, rows) ||
        !is_row_vector(desc.out(kStatus), DType::i32, rows) ||
        !is_row_vector(desc.out(kLogprobs), DType::f32, rows))
        return invalid("sample: tokens and status must be int32, logprobs float32 [%ld]",
                       long(rows));
    const int64_t columns = desc.out(kTopTokens).shape[1];
    if (!is_rows(desc.out(kTopTokens), DType::i32, rows, columns) ||
        !is_rows(desc.out(kTopLogprobs), DType::f32, rows, columns))
        return invalid("sample: top tokens must be int32, top logprobs float32 [%ld, k]",
                       long(rows));
    return {};
}

// sample(logits, numbers, settings, uniforms, first?, adjusted?, biases?, masks?) -> tokens,
// status, logprobs, top tokens, top logprobs.
Status bind_sample(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != kInputs || desc.outputs.size() != kOutputs)
        return invalid("sample takes %d operands and gives %d", int(kInputs), int(kOutputs));
    const Tensor& logits = desc.in(kLogits);
    if (!is_matrix(logits, DType::f32) || logits.shape[1] < 1)
        return invalid("sample: logits must be float32 [any, n], n at least 1");
    const int64_t n = logits.shape[1], rows = desc.in(kNumbers).shape[0];
    Status status = check_settings(desc, rows);
    if (status.ok) status = check_changes(desc, rows, n);
    if (status.ok) status = check_results(desc, rows);
    if (!status.ok) return status;
    auto params = std::make_shared<SamplingParams>();
    params->kernel =
        select<GetSamplingKernel>(kKernels, "sample_f32", desc.allowed, &bound->kernel)();
    params->rows = rows;
    params->n = n;
    params->row = logits.strides[0];
    params->mask_row = desc.has(kMasks) ? desc.in(kMasks).strides[0] : 0;
    params->likeliest = desc.out(kTopTokens).shape[1];
    bound->params = params;
    bound->run = run_sample;
    bound->worker_scratch_bytes = memory_bytes(n);
    bound->flops = 14.0 * static_cast<double>(rows * n);
    bound->bytes = 4.0 * static_cast<double>(rows * n);
    return {};
}

const OpEntry kOps[] = {{"sample", bind_sample}};

}  // namespace

Family sampling_family() { return make_family("sampling", kOps, kKernels); }

}  // namespace hades
