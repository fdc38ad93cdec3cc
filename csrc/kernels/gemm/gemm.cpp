#include "kernels/gemm/gemm.h"

#include <algorithm>
#include <string>

#include "base/epilogue_attributes.h"
#include "base/rounding.h"
#include "kernels/families.h"
#include "kernels/gemm/bind_typed.h"
#include "kernels/gemm/gemm_plan.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/gemm/gemm.inc"
#undef HADES_KERNEL
};

// Operand order of both operators; y follows the inputs.
enum Input { kA, kB, kBias, kResidual, kInputs };

int64_t share(int64_t total, int64_t part, int64_t parts) { return total * part / parts; }

const float* batch_of(const float* data, const Matrix& matrix, int64_t first, int64_t second) {
    return data ? data + first * matrix.batch[0] + second * matrix.batch[1] : nullptr;
}

// Panels [first, last) of one matrix b.
void pack_panels(const GemmPlan& plan, const float* b, int64_t first, int64_t last, float* packed) {
    const GemmProblem& p = plan.problem;
    const int64_t column = first * plan.panel_width;
    PackPanelsArgs args;
    args.b = b + column * p.b.col;
    args.k_stride = p.b.row;
    args.n_stride = p.b.col;
    args.k = p.k;
    args.n = std::min(last * plan.panel_width, p.n) - column;
    args.packed = packed + first * plan.panel_width * p.k;
    plan.kernel.pack(args);
}

int64_t packed_stride(const GemmPlan& plan) { return round_up(plan.packed_floats, 16); }

void pack_ahead(const void* params, const void* source, void* packed) {
    const auto& plan = *static_cast<const GemmPlan*>(params);
    auto* next = static_cast<float*>(packed);
    for (int64_t i = 0; i < plan.packed_matrices[0]; ++i)
        for (int64_t j = 0; j < plan.packed_matrices[1]; ++j, next += packed_stride(plan))
            pack_panels(plan, batch_of(static_cast<const float*>(source), plan.problem.b, i, j), 0,
                        plan.panels, next);
}

void pack_shared(const GemmPlan& plan, const float* b, Worker& worker) {
    const int64_t matrices = plan.packed_matrices[0] * plan.packed_matrices[1];
    parallel_for(worker, matrices * plan.panels, [&](int64_t unit) {
        const int64_t matrix = unit / plan.panels, panel = unit % plan.panels;
        const float* source = batch_of(b, plan.problem.b, matrix / plan.packed_matrices[1],
                                       matrix % plan.packed_matrices[1]);
        auto* packed = static_cast<float*>(worker.shared) + matrix * packed_stride(plan);
        pack_panels(plan, source, panel, panel + 1, packed);
    });
    sync(worker);
}

struct Chunk {
    int64_t batch, first, second;  // index, and its two coordinates
    int64_t slice, column_block, row_block;
};

Chunk chunk_of(const GemmPlan& plan, int64_t index) {
    Chunk chunk;
    chunk.row_block = index % plan.row_blocks;
    index /= plan.row_blocks;
    chunk.column_block = index % plan.column_blocks;
    index /= plan.column_blocks;
    chunk.slice = index % plan.slices;
    chunk.batch = index / plan.slices;
    chunk.first = chunk.batch / plan.problem.batch[1];
    chunk.second = chunk.batch % plan.problem.batch[1];
    return chunk;
}

float* partial_of(const GemmPlan& plan, const Worker& worker, int64_t batch, int64_t slice) {
    const int64_t partials = plan.batches() * plan.slices * plan.partial_slice;
    float* first = static_cast<float*>(worker.shared) + plan.shared_floats - partials;
    return first + (batch * plan.slices + slice) * plan.partial_slice;
}

Finish finish_of(const GemmPlan& plan, void* const* operands, int64_t first, int64_t second) {
    Finish finish = plan.block.finish;
    finish.bias = static_cast<const float*>(operands[kBias]);
    finish.residual = batch_of(static_cast<const float*>(operands[kResidual]),
                               plan.problem.residual, first, second);
    finish.y = const_cast<float*>(
        batch_of(static_cast<const float*>(operands[kInputs]), plan.problem.y, first, second));
    return finish;
}

// Where a chunk finds its matrix b, in the form that plan.block describes.
const float* b_of(const GemmPlan& plan, const float* b, const Chunk& chunk, const Worker& worker) {
    const float* matrix = batch_of(b, plan.problem.b, chunk.first, chunk.second);
    if (plan.pack == PackB::in_place) return matrix;
    if (plan.pack == PackB::local) {
        auto* packed = static_cast<float*>(worker.scratch);
        pack_panels(plan, matrix, 0, plan.panels, packed);
        return packed;
    }
    const int64_t i = plan.packed_matrices[0] == 1 ? 0 : chunk.first;
    const int64_t j = plan.packed_matrices[1] == 1 ? 0 : chunk.second;
    const float* all = plan.pack == PackB::ahead ? b : static_cast<const float*>(worker.shared);
    return all + (i * plan.packed_matrices[1] + j) * packed_stride(plan);
}

// The next chunk reads the same panels or, after the last rows, those of the next columns. Where k
// has one block the same panels are in the cache, and all rows share the work of asking for others.
NextPanels next_panels(const GemmPlan& plan, const Chunk& chunk, int64_t panels) {
    const bool more_rows = chunk.row_block + 1 < plan.row_blocks;
    const bool more_columns = chunk.column_block + 1 < plan.column_blocks;
    const bool one_block = ceil_div(plan.problem.k, plan.slices) <= plan.block.block_k;
    const int64_t distance = panels * plan.block.b_panel;
    if (one_block) return {distance, chunk.row_block, more_columns ? plan.row_blocks : 0};
    if (more_rows) return {0, 0, 1};
    return {distance, 0, more_columns ? 1 : 0};
}

void run_chunk(const GemmPlan& plan, void* const* operands, int64_t index, Worker& worker) {
    const GemmProblem& p = plan.problem;
    const Chunk chunk = chunk_of(plan, index);
    const int64_t row = plan.first_row(chunk.row_block);
    const int64_t panel = share(plan.panels, chunk.column_block, plan.column_blocks);
    const int64_t end_panel = share(plan.panels, chunk.column_block + 1, plan.column_blocks);
    const int64_t column = panel * plan.panel_width;
    const int64_t k0 = share(p.k, chunk.slice, plan.slices);

    GemmBlockArgs args = plan.block;
    args.m = plan.first_row(chunk.row_block + 1) - row;
    args.n = std::min(end_panel * plan.panel_width, p.n) - column;
    args.k = share(p.k, chunk.slice + 1, plan.slices) - k0;
    args.a = batch_of(static_cast<const float*>(operands[kA]), p.a, chunk.first, chunk.second) +
             row * p.a.row + k0 * p.a.col;
    args.b =
        b_of(plan, static_cast<const float*>(operands[kB]), chunk, worker) + panel * args.b_panel;
    args.b_first = k0;
    args.next = next_panels(plan, chunk, end_panel - panel);
    args.scratch = static_cast<float*>(worker.scratch) + plan.local_floats;
    if (plan.slices == 1) {
        args.finish = finish_of(plan, operands, chunk.first, chunk.second);
    } else {
        args.finish = {};
        args.finish.alpha = 1.0f;
        args.finish.y = partial_of(plan, worker, chunk.batch, chunk.slice);
        args.finish.y_row = plan.partial_row;
    }
    move(row, column, &args.finish);
    plan.kernel.block(args);
}

void reduce_slices(const GemmPlan& plan, void* const* operands, Worker& worker) {
    const GemmProblem& p = plan.problem;
    sync(worker);
    parallel_for(worker, plan.batches() * p.m, [&](int64_t unit) {
        const int64_t batch = unit / p.m, row = unit % p.m;
        GemmReduceArgs args;
        args.partial = partial_of(plan, worker, batch, 0) + row * plan.partial_row;
        args.slices = plan.slices;
        args.slice_stride = plan.partial_slice;
        args.row_stride = plan.partial_row;
        args.m = 1;
        args.n = p.n;
        args.finish = finish_of(plan, operands, batch / p.batch[1], batch % p.batch[1]);
        move(row, 0, &args.finish);
        plan.kernel.reduce(args);
    });
}

void run_gemm(const void* params, void* const* operands, Worker& worker) {
    const auto& plan = *static_cast<const GemmPlan*>(params);
    if (plan.chunks() == 0) return;  // nothing to compute, and no scratch to pack b into
    if (plan.pack == PackB::shared)
        pack_shared(plan, static_cast<const float*>(operands[kB]), worker);
    parallel_for(worker, plan.chunks(),
                 [&](int64_t index) { run_chunk(plan, operands, index, worker); });
    if (plan.slices > 1) reduce_slices(plan, operands, worker);
}

// The last two axes of an operand, and the batch axes before them.
Matrix matrix_of(const Tensor& t) {
    Matrix matrix;
    matrix.row = t.strides[t.rank - 2];
    matrix.col = t.strides[t.rank - 1];
    for (int axis = 0; axis < t.rank - 2; ++axis)
        matrix.batch[axis] = t.shape[axis] == 1 ? 0 : t.strides[axis];
    return matrix;
}

bool has_shape(const Tensor& t, const int64_t* batch, int rank, int64_t rows, int64_t columns) {
    if (t.rank != rank || t.dtype != DType::f32) return false;
    for (int axis = 0; axis < rank - 2; ++axis)
        if (t.shape[axis] != batch[axis]) return false;
    return t.shape[rank - 2] == rows && t.shape[rank - 1] == columns;
}

Status read_problem(const OpDesc& desc, int rank, GemmProblem* p) {
    const char* op = desc.op.c_str();
    if (desc.inputs.size() != kInputs || desc.outputs.size() != 1 || !desc.has(kA) || !desc.has(kB))
        return invalid("%s takes a, b, bias, residual and gives y", op);
    const Tensor &a = desc.in(kA), &b = desc.in(kB), &y = desc.out(0);
    if (a.rank != rank || b.rank != rank)
        return invalid("%s: a and b must have %d axes, not %d and %d", op, rank, a.rank, b.rank);
    for (int axis = 0; axis < rank - 2; ++axis) p->batch[axis] = y.shape[axis];
    p->m = a.shape[rank - 2];
    p->k = a.shape[rank - 1];
    p->n = b.shape[rank - 1];
    if (!has_shape(a, p->batch, rank, p->m, p->k) || !has_shape(b, p->batch, rank, p->k, p->n) ||
        !has_shape(y, p->batch, rank, p->m, p->n))
        return invalid("%s: float32 a [.., %lld, %lld], b [.., %lld, %lld] and y do not fit", op,
                       static_cast<long long>(p->m), static_cast<long long>(p->k),
                       static_cast<long long>(b.shape[rank - 2]), static_cast<long long>(p->n));
    p->a = matrix_of(a);
    p->b = matrix_of(b);
    p->y = matrix_of(y);
    p->b_constant = desc.inputs[kB].constant != nullptr;
    if (p->y.col != 1 && p->n > 1) return invalid("%s: the columns of y must be contiguous", op);
    if (desc.has(kBias)) {
        const Tensor& bias = desc.in(kBias);
        p->has_bias = true;
        if (bias.rank != 1 || bias.shape[0] != p->n || bias.dtype != DType::f32 ||
            (bias.strides[0] != 1 && p->n > 1))
            return invalid("%s: bias must be float32 [n], contiguous", op);
    }
    if (desc.has(kResidual)) {
        p->has_residual = true;
        if (!has_shape(desc.in(kResidual), p->batch, rank, p->m, p->n))
            return invalid("%s: residual must be float32 of the shape of y", op);
        p->residual = matrix_of(desc.in(kResidual));
        if (p->residual.col != 1 && p->n > 1)
            return invalid("%s: the columns of residual must be contiguous", op);
    } else {
        p->residual = p->y;  // follows y when batches are merged
    }
    return {};
}

void request_packing(const GemmPlan& plan, BoundOp* bound) {
    const GemmProblem& p = plan.problem;
    const int64_t matrices = plan.packed_matrices[0] * plan.packed_matrices[1];
    std::string layout = "gemm_f32 panels";
    for (int64_t number : {plan.panel_width, plan.packed_matrices[0], plan.packed_matrices[1], p.k,
                           p.n, p.b.batch[0], p.b.batch[1], p.b.row, p.b.col})
        layout += " " + std::to_string(number);
    const auto bytes = static_cast<size_t>(matrices * packed_stride(plan)) * sizeof(float);
    bound->packs.push_back({kB, layout, std::max<size_t>(bytes, 64), pack_ahead});
}

Status bind(const OpDesc& desc, int rank, float alpha, BoundOp* bound) {
    GemmProblem problem;
    Status status = read_problem(desc, rank, &problem);
    if (!status.ok) return status;
    Epilogue epilogue;
    status = read_epilogue(desc, &epilogue);
    if (!status.ok) return status;

    auto* provider = select<GemmProvider>(kKernels, "gemm_f32", desc.allowed, &bound->kernel);
    auto plan = std::make_shared<GemmPlan>(plan_gemm(problem, provider(), alpha, epilogue));
    if (plan->pack == PackB::ahead) request_packing(*plan, bound);
    bound->run = run_gemm;
    bound->worker_scratch_bytes = static_cast<size_t>(plan->scratch_floats) * sizeof(float);
    bound->shared_scratch_bytes = static_cast<size_t>(plan->shared_floats) * sizeof(float);
    const auto batches = static_cast<double>(problem.batch[0] * problem.batch[1]);
    const auto m = static_cast<double>(problem.m), n = static_cast<double>(problem.n);
    const auto k = static_cast<double>(problem.k);
    bound->flops = 2.0 * batches * m * n * k;
    bound->bytes = 4.0 * batches * (m * k + k * n + m * n);
    bound->params = plan;
    return {};
}

Status bind_gemm(const OpDesc& desc, BoundOp* bound) { return bind(desc, 2, 1.0f, bound); }

Status bind_matmul(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() == kInputs && desc.outputs.size() == 1 && desc.has(kA) && desc.has(kB) &&
        desc.in(kA).dtype != DType::f32) {
        auto* find = select<FindTypedRow>(kKernels, "matmul_typed", desc.allowed, &bound->kernel);
        return bind_typed_matmul(desc, find, bound);
    }
    return bind(desc, 4, static_cast<float>(desc.attributes.real("alpha", 1.0)), bound);
}

const OpEntry kOps[] = {{"gemm", bind_gemm}, {"matmul", bind_matmul}};

}  // namespace

Family gemm_family() { return make_family("gemm", kOps, kKernels); }

}  // namespace hades
