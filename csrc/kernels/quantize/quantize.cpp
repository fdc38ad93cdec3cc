#include "kernels/quantize/quantize.h"

#include "base/registry.h"
#include "base/rows_cost.h"
#include "formats/weight_operands.h"
#include "kernels/families.h"
#include "kernels/quantize/pack_weight.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/quantize/quantize.inc"
#undef HADES_KERNEL
};

struct QuantizeParams {
    QuantizeRow* kernel;
    int64_t k, x_row;
    int64_t row_bytes[2];  // of the outputs
    bool is_q8[2];
    int outputs, first_output;
    bool has_weight;
    float epsilon;
    RowsCost cost;
};

void run_quantize(const void* params, void* const* operands, Worker& worker) {
    const auto& q = *static_cast<const QuantizeParams*>(params);
    const int64_t rows = *static_cast<const int32_t*>(operands[0]);
    parallel_for(worker, rows, [&](int64_t row) {
        QuantizeRowArgs args = {};
        args.x = static_cast<const float*>(operands[1]) + row * q.x_row;
        args.weight = q.has_weight ? static_cast<const float*>(operands[2]) : nullptr;
        args.k = q.k;
        args.epsilon = q.epsilon;
        args.scratch = static_cast<float*>(worker.scratch);
        for (int i = 0; i < q.outputs; ++i) {
            void* const base = operands[q.first_output + i];
            if (!base) continue;
            uint8_t* const out = static_cast<uint8_t*>(base) + row * q.row_bytes[i];
            if (q.is_q8[i])
                args.q8 = out;
            else
                args.bf16 = reinterpret_cast<uint16_t*>(out);
        }
        q.kernel(args);
    });
}

Status bind(const OpDesc& desc, const char* function, bool has_weight, BoundOp* bound) {
    const Tensor& x = desc.in(1);
    if (!is_rows_in_use(desc.in(0)) || !is_matrix(x, DType::f32))
        return invalid("%s: rows must be int32 [1], x float32 [m, k]", desc.op.c_str());
    auto params = std::make_shared<QuantizeParams>();
    QuantizeParams& q = *params;
    q.k = x.shape[1];
    q.x_row = x.strides[0];
    q.has_weight = has_weight;
    q.epsilon = static_cast<float>(desc.attributes.real("epsilon", 1e-5));
    q.outputs = static_cast<int>(desc.outputs.size());
    q.first_output = static_cast<int>(desc.inputs.size());
    for (int i = 0; i < q.outputs; ++i) {
        if (!desc.outputs[static_cast<size_t>(i)].present) continue;
        const Tensor& out = desc.out(static_cast<size_t>(i));
        ActivationRows rows = {};
        const Status status = check_activation_rows(desc, out, q.k, &rows);
        if (!status.ok) return status;
        if (out.shape[0] != x.shape[0] || (i == 1 && rows.is_q8 == q.is_q8[0]))
            return invalid("%s: outputs must have %ld rows, one q8 and one bfloat16",
                           desc.op.c_str(), long(x.shape[0]));
        q.is_q8[i] = rows.is_q8;
        q.row_bytes[i] = rows.row_bytes;
    }
    q.kernel = select<QuantizeRow>(kKernels, function, desc.allowed, &bound->kernel);
    bound->params = params;
    bound->run = run_quantize;
    bound->worker_scratch_bytes = static_cast<size_t>(q.k) * 4;
    const auto k = static_cast<double>(q.k);
    double row_bytes = 4 * k;
    for (const Operand& out : desc.outputs)
        if (out.present)
            row_bytes += static_cast<double>(out.tensor.shape[1]) *
                         static_cast<double>(size_of(out.tensor.dtype));
    state_rows_cost(bound, &q, x.shape[0], {{0, has_weight ? 4 * k : 0}, {6 * k, row_bytes}});
    return {};
}

// quantize_rows(rows, x [m, k]) -> a.
Status bind_quantize_rows(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 2 || desc.outputs.size() != 1)
        return invalid("quantize_rows takes rows, x and gives a");
    return bind(desc, "quantize_row_f32", false, bound);
}

// rms_norm_quantize(rows, x [m, k], weight [k]) -> a, and optionally a in the other form;
// attribute epsilon.
Status bind_rms_norm_quantize(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 3 || desc.outputs.empty() || desc.outputs.size() > 2)
        return invalid("rms_norm_quantize takes rows, x, weight and gives a, or a and bfloat16 a");
    const Tensor& weight = desc.in(2);
    if (!is_vector(weight, DType::f32) || weight.shape[0] != desc.in(1).shape[1])
        return invalid("rms_norm_quantize: weight must be float32, one per column");
    return bind(desc, "rms_norm_quantize_f32", true, bound);
}

const OpEntry kOps[] = {{"quantize_rows", bind_quantize_rows},
                        {"rms_norm_quantize", bind_rms_norm_quantize},
                        {"pack_weight", bind_pack_weight}};

}  // namespace

Family quantize_family() { return make_family("quantize", kOps, kKernels); }

}  // namespace hades
