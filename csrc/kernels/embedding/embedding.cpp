#include "kernels/embedding/embedding.h"

#include <cstring>

#include "base/float16.h"
#include "base/registry.h"
#include "base/rows_cost.h"
#include "formats/weight_format.h"
#include "formats/weight_operands.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/embedding/embedding.inc"
#undef HADES_KERNEL
};

struct EmbedParams {
    EmbedRow* kernel;
    int64_t columns, value_row_bytes, y_row;
    RowsCost cost;
};

void run_embed(const void* params, void* const* operands, Worker& worker) {
    const auto& e = *static_cast<const EmbedParams*>(params);
    const int64_t rows = *static_cast<const int32_t*>(operands[0]);
    parallel_for(worker, rows, [&](int64_t row) {
        const int64_t token = static_cast<const int32_t*>(operands[1])[row];
        const auto* values = static_cast<const uint8_t*>(operands[2]) + token * e.value_row_bytes;
        const auto* scales = static_cast<const uint16_t*>(operands[3]);
        if (scales) scales += token * (e.columns / kBlock);
        e.kernel({values, scales, static_cast<float*>(operands[4]) + row * e.y_row, e.columns});
    });
}

// embed(rows, tokens [m] int32, values [v, h] uint16 or int8, scales? [v, h/32] float16) -> y [m,
// h]. Tokens are below v: the caller has seen to it.
Status bind_embed(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 4 || desc.outputs.size() != 1 || !is_rows_in_use(desc.in(0)))
        return invalid("embed takes rows int32 [1], tokens, values, scales and gives y");
    const Tensor &tokens = desc.in(1), &values = desc.in(2), &y = desc.out(0);
    const bool is_int8 = values.dtype == DType::i8;
    if (!is_vector(tokens, DType::i32) || values.rank != 2 || !is_contiguous(values) ||
        (!is_int8 && values.dtype != DType::u16) || desc.has(3) != is_int8)
        return invalid("embed: tokens int32 [m], values bfloat16 [v, h], or int8 with scales");
    const int64_t columns = values.shape[1];
    if (is_int8) {
        const Tensor& scales = desc.in(3);
        if (columns % kBlock || scales.dtype != DType::f16 || !is_contiguous(scales) ||
            element_count(scales) != values.shape[0] * (columns / kBlock))
            return invalid("embed: scales must be float16, one per 32 columns");
    }
    if (!is_matrix(y, DType::f32) || y.shape[0] != tokens.shape[0] || y.shape[1] != columns)
        return invalid("embed: y must be float32 [%ld, %ld]", long(tokens.shape[0]), long(columns));
    auto params = std::make_shared<EmbedParams>();
    params->kernel = select<EmbedRow>(kKernels, is_int8 ? "embed_int8" : "embed_bf16", desc.allowed,
                                      &bound->kernel);
    params->columns = columns;
    params->value_row_bytes = columns * static_cast<int64_t>(size_of(values.dtype));
    params->y_row = y.strides[0];
    bound->params = params;
    bound->run = run_embed;
    const int64_t scales = is_int8 ? columns / kBlock : 0;
    const int64_t row_bytes = 4 + params->value_row_bytes + 2 * scales + 4 * columns;
    const double flops = is_int8 ? static_cast<double>(columns) : 0;
    state_rows_cost(bound, params.get(), tokens.shape[0],
                    {{}, {flops, static_cast<double>(row_bytes)}});
    return {};
}

struct GatherParams {
    int64_t columns, x_row, y_row;
    RowsCost cost;
};

void run_gather_rows(const void* params, void* const* operands, Worker& worker) {
    const auto& g = *static_cast<const GatherParams*>(params);
    const int64_t rows = *static_cast<const int32_t*>(operands[0]);
    parallel_for(worker, rows, [&](int64_t row) {
        const int64_t from = static_cast<const int32_t*>(operands[2])[row];
        std::memcpy(static_cast<float*>(operands[3]) + row * g.y_row,
                    static_cast<const float*>(operands[1]) + from * g.x_row,
                    static_cast<size_t>(g.columns) * 4);
    });
}

// gather_rows(rows, x [n, h], indices [m] int32) -> y [m, h]. Indices are below n.
Status bind_gather_rows(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 3 || desc.outputs.size() != 1 || !is_rows_in_use(desc.in(0)))
        return invalid("gather_rows takes rows int32 [1], x, indices and gives y");
    const Tensor &x = desc.in(1), &indices = desc.in(2), &y = desc.out(0);
    if (!is_matrix(x, DType::f32) || !is_vector(indices, DType::i32) || !is_matrix(y, DType::f32) ||
        y.shape[0] != indices.shape[0] || y.shape[1] != x.shape[1])
        return invalid("gather_rows: x float32 [n, h], indices int32 [m], y float32 [m, h]");
    auto params = std::make_shared<GatherParams>();
    *params = {x.shape[1], x.strides[0], y.strides[0], {}};
    bound->params = params;
    bound->run = run_gather_rows;
    bound->kernel = "memcpy";
    const auto row_bytes = static_cast<double>(4 + 8 * params->columns);
    state_rows_cost(bound, params.get(), y.shape[0], {{}, {0, row_bytes}});
    return {};
}

const OpEntry kOps[] = {{"embed", bind_embed}, {"gather_rows", bind_gather_rows}};

}  // namespace

Family embedding_family() { return make_family("embedding", kOps, kKernels); }

}  // namespace hades
