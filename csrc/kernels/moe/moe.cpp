#include "kernels/moe/moe.h"

#include <algorithm>

#include "base/registry.h"
#include "base/rounding.h"
#include "formats/q8_row.h"
#include "formats/weight_operands.h"
#include "kernels/families.h"
#include "kernels/moe/grouping.h"
#include "kernels/moe/top_k.h"
#include "kernels/tile/packed_product.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/moe/moe.inc"
#undef HADES_KERNEL
};

constexpr const char* kGatedNames[] = {"clamped_swiglu", "swiglu"};
static_assert(sizeof(kGatedNames) / sizeof(kGatedNames[0]) == static_cast<size_t>(Gated::count));

enum Operand {
    kRows,
    kA,
    kIds,
    kWeights,
    kGateUp,
    kGateUpBias,
    kDown,
    kDownBias,
    kResidual,
    kInputs,
    kY = kInputs,
};

struct Matrix {
    QgemmTiles* tiles;
    WeightFormat format;
    int64_t n, k;

    int64_t bytes() const { return packed_bytes(format, n, k); }
};

struct MoeParams {
    Matrix gate_up, down;
    Gate* gate;
    Combine* combine;
    bool is_q8;
    int64_t experts, k, most_tokens;
    int64_t a_row_bytes, residual_row, y_row;
    int64_t hidden_row_bytes;  // of the rows between the matrices
    float alpha, limit;
    Cost per_token;
    double expert_bytes;

    int64_t most_pairs() const { return most_tokens * k; }
};

// Four tiles: 32 gates and their 32 ups, in the order of the packed rows.
constexpr int64_t kTileColumns = kTilesAtOnce * kTileRows;
static_assert(kTileColumns == 2 * kBlock);
constexpr int64_t kAccBytes = kRowsAtOnce * kTileColumns * 4;

// A run: what the kernels read and write, and who does what.
struct Run {
    const MoeParams& p;
    void* const* operands;
    Worker& worker;
    Grouping groups;
    float* wide;      // [tokens, hidden]: the input as float32, where it is bfloat16
    uint8_t* hidden;  // [pairs]: rows between the matrices
    float* results;   // [pairs, hidden]: what the experts make
    float* acc;       // of this worker
    uint8_t* panel;
};

int64_t wide_bytes(const MoeParams& p) {
    return p.is_q8 ? 0 : round_up(p.most_tokens * p.gate_up.k * 4, 64);
}
int64_t hidden_bytes(const MoeParams& p) {
    return round_up(p.most_pairs() * p.hidden_row_bytes, 64);
}

Run begin(const MoeParams& p, void* const* operands, int64_t tokens, Worker& worker) {
    auto* scratch = static_cast<uint8_t*>(worker.scratch);
    auto* shared = static_cast<uint8_t*>(worker.shared);
    Run run = {p, operands, worker, {}, nullptr, nullptr, nullptr, nullptr, nullptr};
    run.acc = reinterpret_cast<float*>(scratch);
    run.panel = scratch + kAccBytes;
    run.groups = group_by_expert(static_cast<const int32_t*>(operands[kIds]), tokens, p.k,
                                 p.experts, p.most_pairs(), run.panel + kPanelBytes);
    run.wide = reinterpret_cast<float*>(shared);
    run.hidden = shared + wide_bytes(p);
    run.results = reinterpret_cast<float*>(run.hidden + hidden_bytes(p));
    return run;
}

QgemmTilesArgs tiles_args(const Run& run, const Matrix& matrix, const void* weight, int64_t expert,
                          int64_t tile, int64_t rows) {
    QgemmTilesArgs args = {};
    args.tile_bytes = tile_bytes(matrix.format, matrix.k);
    args.weight =
        static_cast<const uint8_t*>(weight) + expert * matrix.bytes() + tile * args.tile_bytes;
    args.tiles = std::min<int64_t>(kTilesAtOnce, tiles_of(matrix.n) - tile);
    args.k = matrix.k;
    args.m = rows;
    args.acc = run.acc;
    args.panel = run.panel;
    return args;
}

// The bias of an expert from `column` on, or nullptr where there is none.
const float* bias_of(const Run& run, Operand operand, int64_t expert, int64_t n, int64_t column) {
    const auto* bias = static_cast<const float*>(run.operands[operand]);
    return bias ? bias + expert * n + column : nullptr;
}

// 32 columns between the matrices, for some rows of an expert.
void gate_up(const Run& run, int64_t expert, int64_t chunk, int64_t first, int64_t rows) {
    const MoeParams& p = run.p;
    QgemmTilesArgs product =
        tiles_args(run, p.gate_up, run.operands[kGateUp], expert, chunk * kTilesAtOnce, rows);
    product.a = p.is_q8 ? static_cast<const uint8_t*>(run.operands[kA])
                        : reinterpret_cast<const uint8_t*>(run.wide);
    product.a_row_bytes = p.is_q8 ? p.a_row_bytes : p.gate_up.k * 4;
    product.index = run.groups.token + first;
    p.gate_up.tiles(product);
    GateArgs args = {};
    args.acc = run.acc;
    args.bias = bias_of(run, kGateUpBias, expert, p.gate_up.n, chunk * kTileColumns);
    args.m = rows;
    args.alpha = p.alpha;
    args.limit = p.limit;
    uint8_t* row = run.hidden + first * p.hidden_row_bytes;
    if (p.is_q8)
        args.q8 = row;
    else
        args.f32 = reinterpret_cast<float*>(row);
    args.row_bytes = p.hidden_row_bytes;
    args.k = p.down.k;
    args.column = chunk * kBlock;
    p.gate(args);
}

// A few tiles of columns of the result, for some rows of an expert.
void down(const Run& run, int64_t expert, int64_t chunk, int64_t first, int64_t rows) {
    const MoeParams& p = run.p;
    QgemmTilesArgs args =
        tiles_args(run, p.down, run.operands[kDown], expert, chunk * kTilesAtOnce, rows);
    args.a = run.hidden + first * p.hidden_row_bytes;
    args.a_row_bytes = p.hidden_row_bytes;
    p.down.tiles(args);
    const int64_t column = chunk * kTileColumns, stride = args.tiles * kTileRows;
    const int64_t columns = std::min(stride, p.down.n - column);
    const float* bias = bias_of(run, kDownBias, expert, p.down.n, column);
    for (int64_t i = 0; i < rows; ++i) {
        float* to = run.results + (first + i) * p.down.n + column;
        const float* acc = args.acc + i * stride;
        if (bias)
            for (int64_t c = 0; c < columns; ++c) to[c] = acc[c] + bias[c];
        else
            for (int64_t c = 0; c < columns; ++c) to[c] = acc[c];
    }
}

// Shares out every expert's chunks of a matrix, each over all rows of the expert.
// `together` neighbours at a time.
template <class Body>
void for_each_chunk(const Run& run, int64_t chunks, int64_t together, const Body& body) {
    const int64_t pieces = ceil_div(chunks, together);
    parallel_for(run.worker, run.groups.active_count * pieces, [&](int64_t index) {
        const int64_t expert = run.groups.active[index / pieces];
        const int64_t begin = index % pieces * together;
        const int64_t end = run.groups.first[expert + 1];
        for (int64_t chunk = begin; chunk < std::min(chunks, begin + together); ++chunk)
            for (int64_t first = run.groups.first[expert]; first < end; first += kRowsAtOnce)
                body(expert, chunk, first, std::min(kRowsAtOnce, end - first));
    });
}

void combine(const Run& run, int64_t token) {
    const MoeParams& p = run.p;
    const auto* residual = static_cast<const float*>(run.operands[kResidual]);
    CombineArgs args = {};
    args.rows = run.results;
    args.pairs = run.groups.position + token * p.k;
    args.weights = static_cast<const float*>(run.operands[kWeights]) + token * p.k;
    args.residual = residual ? residual + token * p.residual_row : nullptr;
    args.y = static_cast<float*>(run.operands[kY]) + token * p.y_row;
    args.k = p.k;
    args.n = p.down.n;
    p.combine(args);
}

void run_moe(const void* params, void* const* operands, Worker& worker) {
    const auto& p = *static_cast<const MoeParams*>(params);
    const int64_t tokens = *static_cast<const int32_t*>(operands[kRows]);
    const Run run = begin(p, operands, tokens, worker);
    if (!p.is_q8) {
        parallel_for(worker, tokens, [&](int64_t token) {
            const auto* a = static_cast<const uint8_t*>(operands[kA]) + token * p.a_row_bytes;
            widen_bf16(reinterpret_cast<const uint16_t*>(a), run.wide + token * p.gate_up.k,
                       p.gate_up.k);
        });
        sync(worker);
    }
    // One token streams the weights: longer chunks break fewer streams.
    const bool is_stream = tokens == 1;
    for_each_chunk(run, p.down.k / kBlock, is_stream ? 2 : 1,
                   [&](auto... what) { gate_up(run, what...); });
    sync(worker);
    for_each_chunk(run, ceil_div(tiles_of(p.down.n), kTilesAtOnce), is_stream ? 3 : 1,
                   [&](auto... what) { down(run, what...); });
    sync(worker);
    parallel_for(worker, tokens, [&](int64_t token) { combine(run, token); });
}

Cost cost_of(const MoeParams& p, int64_t tokens, int64_t experts) {
    const auto n = static_cast<double>(tokens);
    return {n * p.per_token.flops,
            n * p.per_token.bytes + static_cast<double>(experts) * p.expert_bytes};
}

// Only experts that some token of this call goes to are read.
Cost cost_of_moe(const void* params, void* const* operands) {
    const auto& p = *static_cast<const MoeParams*>(params);
    const int64_t tokens = *static_cast<const int32_t*>(operands[kRows]);
    const auto* ids = static_cast<const int32_t*>(operands[kIds]);
    const int32_t* const end = ids + tokens * p.k;
    int64_t experts = 0;
    for (int64_t expert = 0; expert < p.experts; ++expert)
        experts += std::find(ids, end, expert) != end;
    return cost_of(p, tokens, experts);
}

void set_costs(const OpDesc& desc, MoeParams* p) {
    const Matrix &gate_up = p->gate_up, &down = p->down;
    const auto weights = static_cast<double>(gate_up.n * gate_up.k + down.n * down.k);
    const int64_t stream = (desc.has(kResidual) ? 8 : 4) * down.n;
    p->per_token = {2.0 * static_cast<double>(p->k) * weights,
                    static_cast<double>(p->a_row_bytes + 8 * p->k + stream)};
    const int64_t biases =
        (desc.has(kGateUpBias) ? gate_up.n : 0) + (desc.has(kDownBias) ? down.n : 0);
    p->expert_bytes = static_cast<double>(gate_up.bytes() + down.bytes() + 4 * biases);
}

bool is_float_matrix(const Tensor& t, int64_t rows, int64_t columns) {
    return is_matrix(t, DType::f32) && t.shape[0] == rows && t.shape[1] == columns;
}

bool is_bias(const OpDesc& desc, Operand operand, int64_t experts, int64_t n) {
    return !desc.has(operand) ||
           (is_float_matrix(desc.in(operand), experts, n) && is_contiguous(desc.in(operand)));
}

Status check_weights(const OpDesc& desc, const MoeParams& p) {
    if (!is_packed_weight(desc.in(kGateUp), p.gate_up.format, p.experts, p.gate_up.n, p.gate_up.k))
        return invalid("moe: gate_up must be %ld packed %s matrices [%ld, %ld]", long(p.experts),
                       name_of(p.gate_up.format), long(p.gate_up.n), long(p.gate_up.k));
    if (!is_packed_weight(desc.in(kDown), p.down.format, p.experts, p.down.n, p.down.k))
        return invalid("moe: down must be %ld packed %s matrices [%ld, %ld]", long(p.experts),
                       name_of(p.down.format), long(p.down.n), long(p.down.k));
    if (!is_bias(desc, kGateUpBias, p.experts, p.gate_up.n) ||
        !is_bias(desc, kDownBias, p.experts, p.down.n))
        return invalid("moe: biases must be float32 [%ld, %ld] and [%ld, %ld]", long(p.experts),
                       long(p.gate_up.n), long(p.experts), long(p.down.n));
    return {};
}

Status check_tokens(const OpDesc& desc, const MoeParams& p) {
    const Tensor &ids = desc.in(kIds), &weights = desc.in(kWeights);
    const int64_t tokens = desc.in(kA).shape[0];
    if (!is_matrix(ids, DType::i32) || !is_contiguous(ids) || ids.shape[0] != tokens ||
        !is_matrix(weights, DType::f32) || !is_contiguous(weights) || !same_shape(ids, weights))
        return invalid("moe: ids int32 and weights float32 must be [%ld, k]", long(tokens));
    if (!is_float_matrix(desc.out(0), tokens, p.down.n) ||
        (desc.has(kResidual) && !is_float_matrix(desc.in(kResidual), tokens, p.down.n)))
        return invalid("moe: y and residual must be float32 [%ld, %ld]", long(tokens),
                       long(p.down.n));
    return {};
}

Status read_matrices(const OpDesc& desc, MoeParams* p) {
    const int64_t hidden = desc.attributes.integer("hidden_size", 0);
    const int64_t intermediate = desc.attributes.integer("intermediate_size", 0);
    p->experts = desc.attributes.integer("experts", 0);
    if (p->experts < 1 || hidden < 1 || intermediate < 1 || intermediate % kBlock)
        return invalid("moe: %ld experts, hidden_size %ld, intermediate_size %ld (times 32)",
                       long(p->experts), long(hidden), long(intermediate));
    p->gate_up = {nullptr, {}, 2 * intermediate, hidden};
    p->down = {nullptr, {}, hidden, intermediate};
    Status status = read_weight_format(desc, "gate_up_format", &p->gate_up.format);
    if (status.ok) status = read_weight_format(desc, "down_format", &p->down.format);
    return status;
}

Status read_gated(const OpDesc& desc, Gated* gated) {
    const std::string name = desc.attributes.text("activation", kGatedNames[0]);
    for (int i = 0; i < static_cast<int>(Gated::count); ++i) {
        if (name != kGatedNames[i]) continue;
        *gated = static_cast<Gated>(i);
        return {};
    }
    return invalid("moe: activation \"%s\" is neither clamped_swiglu nor swiglu", name.c_str());
}

// moe(rows, a, ids [m, k], weights [m, k], gate_up, gate_up_bias?, down, down_bias?, residual?) ->
// y [m, h]; attributes experts, hidden_size, intermediate_size, gate_up_format, down_format,
// activation, and of clamped_swiglu alpha, limit. ids are below experts: the caller has seen to it.
Status bind_moe(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != kInputs || desc.outputs.size() != 1 || !is_rows_in_use(desc.in(0)))
        return invalid("moe takes rows, a, ids, weights, two matrices with biases and a residual");
    auto params = std::make_shared<MoeParams>();
    MoeParams& p = *params;
    ActivationRows rows = {};
    Gated gated = {};
    Status status = read_matrices(desc, &p);
    if (status.ok) status = read_gated(desc, &gated);
    if (status.ok) status = check_activation_rows(desc, desc.in(kA), p.gate_up.k, &rows);
    if (status.ok) status = check_weights(desc, p);
    if (status.ok) status = check_tokens(desc, p);
    if (!status.ok) return status;
    p.is_q8 = rows.is_q8;
    p.a_row_bytes = rows.row_bytes;
    p.most_tokens = desc.in(kA).shape[0];
    p.k = desc.in(kIds).shape[1];
    p.hidden_row_bytes = p.is_q8 ? q8_row_bytes(p.down.k) : p.down.k * 4;
    p.residual_row = desc.has(kResidual) ? desc.in(kResidual).strides[0] : 0;
    p.y_row = desc.out(0).strides[0];
    p.alpha = static_cast<float>(desc.attributes.real("alpha", 1.702));
    p.limit = static_cast<float>(desc.attributes.real("limit", 7.0));
    const char* other = nullptr;
    p.gate_up.tiles = select_qgemm(p.gate_up.format, p.is_q8, desc.allowed, &other);
    p.down.tiles = select_qgemm(p.down.format, p.is_q8, desc.allowed, &other);
    if (!p.gate_up.tiles || !p.down.tiles)
        return invalid("moe: %s and %s weights need bfloat16 activations",
                       name_of(p.gate_up.format), name_of(p.down.format));
    const MoeSteps steps = select<MoeProvider>(kKernels, "moe_f32", desc.allowed, &bound->kernel)();
    p.gate = steps.gate[static_cast<int>(gated)][desc.has(kGateUpBias)];
    p.combine = steps.combine;
    bound->params = params;
    bound->run = run_moe;
    bound->worker_scratch_bytes = static_cast<size_t>(
        kAccBytes + kPanelBytes + Grouping::scratch_bytes(p.experts, p.most_pairs()));
    bound->shared_scratch_bytes =
        static_cast<size_t>(wide_bytes(p) + hidden_bytes(p) + p.most_pairs() * p.down.n * 4);
    set_costs(desc, &p);
    bound->cost = cost_of_moe;
    state_cost(bound, cost_of(p, p.most_tokens, std::min(p.experts, p.most_pairs())));
    return {};
}

const OpEntry kOps[] = {{"moe", bind_moe}, {"top_k", bind_top_k}};

}  // namespace

Family moe_family() { return make_family("moe", kOps, kKernels); }

}  // namespace hades
