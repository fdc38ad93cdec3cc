#include "kernels/rope/rope.h"

#include "base/operand_shapes.h"
#include "base/registry.h"
#include "base/rows_cost.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/rope/rope.inc"
#undef HADES_KERNEL
};

struct TableParams {
    RopeTable* kernel;
    int64_t half;
    float factor;
    RowsCost cost;
};

void run_rope_table(const void* params, void* const* operands, Worker& worker) {
    const auto& rope = *static_cast<const TableParams*>(params);
    const int64_t rows = *static_cast<const int32_t*>(operands[0]);
    parallel_for(worker, rows, [&](int64_t row) {
        rope.kernel(
            {static_cast<const int32_t*>(operands[1]) + row, static_cast<const float*>(operands[2]),
             static_cast<float*>(operands[3]) + row * 2 * rope.half, 1, rope.half, rope.factor});
    });
}

// rope_table(rows, positions [t] int32, inverse_frequencies [d/2]) -> table [t, d]; attribute
// attention_factor.
Status bind_rope_table(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 3 || desc.outputs.size() != 1)
        return invalid("rope_table takes rows, positions, inverse_frequencies and gives table");
    const Tensor &positions = desc.in(1), &frequencies = desc.in(2), &table = desc.out(0);
    if (!is_rows_in_use(desc.in(0)) || !is_vector(positions, DType::i32) ||
        !is_vector(frequencies, DType::f32))
        return invalid("rope_table: rows int32 [1], positions int32 [t], frequencies float32");
    if (!is_matrix(table, DType::f32) || !is_contiguous(table) ||
        table.shape[0] != positions.shape[0] || table.shape[1] != 2 * frequencies.shape[0])
        return invalid("rope_table: the table must be contiguous float32 [%ld, %ld]",
                       long(positions.shape[0]), long(2 * frequencies.shape[0]));
    auto params = std::make_shared<TableParams>();
    params->kernel = select<RopeTable>(kKernels, "rope_table_f32", desc.allowed, &bound->kernel);
    params->half = frequencies.shape[0];
    params->factor = static_cast<float>(desc.attributes.real("attention_factor", 1.0));
    bound->params = params;
    bound->run = run_rope_table;
    const auto width = static_cast<double>(table.shape[1]);
    state_rows_cost(bound, params.get(), table.shape[0],
                    {{0, 2 * width}, {40 * width, 4 * width + 4}});
    return {};
}

struct StoreParams {
    RopeStore* kernel;
    RopeStoreArgs args;  // pointers and slot are filled in per token
    int64_t qkv_row, q_row;
    RowsCost cost;
};

void run_rope_store(const void* params, void* const* operands, Worker& worker) {
    const auto& rope = *static_cast<const StoreParams*>(params);
    const int64_t rows = *static_cast<const int32_t*>(operands[0]);
    parallel_for(worker, rows, [&](int64_t row) {
        RopeStoreArgs args = rope.args;
        args.qkv = static_cast<const float*>(operands[1]) + row * rope.qkv_row;
        args.table = static_cast<const float*>(operands[2]) + row * args.block.head_dim;
        args.slot = static_cast<const int32_t*>(operands[3])[row];
        args.q = static_cast<float*>(operands[4]) + row * rope.q_row;
        args.pool = static_cast<uint8_t*>(operands[5]);
        args.scratch = static_cast<float*>(worker.scratch);
        rope.kernel(args);
    });
}

Status check_store(const OpDesc& desc, const RopeStoreArgs& args) {
    const Tensor &qkv = desc.in(1), &table = desc.in(2), &slots = desc.in(3);
    const Tensor &q = desc.out(0), &pool = desc.out(1);
    const int64_t d = args.block.head_dim, tokens = qkv.shape[0];
    if (d < 2 || d % 2 || args.heads < 1 || args.kv_heads < 1 || args.heads % args.kv_heads)
        return invalid("rope_store: %ld heads, %ld kv_heads, head_dim %ld", long(args.heads),
                       long(args.kv_heads), long(d));
    if (!is_rows_in_use(desc.in(0)) || !is_matrix(qkv, DType::f32) ||
        qkv.shape[1] != (args.heads + 2 * args.kv_heads) * d)
        return invalid("rope_store: rows int32 [1], qkv float32 [t, %ld]",
                       long((args.heads + 2 * args.kv_heads) * d));
    if (!is_matrix(table, DType::f32) || !is_contiguous(table) || table.shape[0] != tokens ||
        table.shape[1] != d || !is_vector(slots, DType::i32) || slots.shape[0] != tokens)
        return invalid("rope_store: table float32 [%ld, %ld], slots int32 [%ld]", long(tokens),
                       long(d), long(tokens));
    if (!is_matrix(q, DType::f32) || q.shape[0] != tokens || q.shape[1] != args.heads * d)
        return invalid("rope_store: q must be float32 [%ld, %ld]", long(tokens),
                       long(args.heads * d));
    if (!is_vector(pool, DType::u8) || pool.shape[0] % args.block.bytes(args.kv_heads))
        return invalid("rope_store: the pool must be uint8, a multiple of %ld bytes",
                       long(args.block.bytes(args.kv_heads)));
    return {};
}

// rope_store(rows, qkv [t, (heads + 2 kv_heads) d], table [t, d], slots [t] int32) -> q [t, heads
// d], pool; attributes heads, kv_heads, head_dim, kv_format "bf16" or "int8".
Status bind_rope_store(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 4 || desc.outputs.size() != 2)
        return invalid("rope_store takes rows, qkv, table, slots and gives q, pool");
    const std::string format = desc.attributes.text("kv_format", "bf16");
    if (format != "bf16" && format != "int8")
        return invalid("rope_store: kv_format \"%s\" is neither bf16 nor int8", format.c_str());
    auto params = std::make_shared<StoreParams>();
    params->args = {};
    params->args.heads = desc.attributes.integer("heads", 0);
    params->args.kv_heads = desc.attributes.integer("kv_heads", 0);
    params->args.block = {desc.attributes.integer("head_dim", 0), format == "int8"};
    const Status status = check_store(desc, params->args);
    if (!status.ok) return status;
    params->kernel = select<RopeStore>(kKernels, "rope_store_f32", desc.allowed, &bound->kernel);
    params->qkv_row = desc.in(1).strides[0];
    params->q_row = desc.out(0).strides[0];
    bound->params = params;
    bound->run = run_rope_store;
    bound->worker_scratch_bytes = static_cast<size_t>(params->args.block.head_dim) * sizeof(float);
    const RopeStoreArgs& args = params->args;
    const auto width = static_cast<double>(desc.in(1).shape[1]);
    const int64_t stored = args.block.bytes(args.kv_heads) / kBlockTokens;
    const int64_t floats = desc.in(1).shape[1] + args.block.head_dim + desc.out(0).shape[1];
    state_rows_cost(bound, params.get(), desc.in(1).shape[0],
                    {{}, {3 * width, static_cast<double>(4 * floats + 4 + stored)}});
    return {};
}

const OpEntry kOps[] = {{"rope_table", bind_rope_table}, {"rope_store", bind_rope_store}};

}  // namespace

Family rope_family() { return make_family("rope", kOps, kKernels); }

}  // namespace hades
