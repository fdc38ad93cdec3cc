#include "kernels/norm/norm.h"

#include "base/epilogue_attributes.h"
#include "base/operand_shapes.h"
#include "base/registry.h"
#include "base/rounding.h"
#include "base/rows_cost.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/norm/norm.inc"
#undef HADES_KERNEL
};

struct RowsParams {
    NormRows* kernel;
    NormRowsArgs args;  // pointers are filled in per run
    int64_t rows_per_chunk;
};

// Operands: x, weight, bias, residual, y, mean, inverse_std.
enum RowsOperand { kX, kWeight, kBias, kResidual, kY, kMean, kInverseStd, kRowsOperands };

// Chunks of about 64 KiB: large enough to hide the claim, small enough to balance.
int64_t rows_per_chunk(int64_t n) {
    const int64_t rows = 16384 / (n > 0 ? n : 1);
    return rows > 0 ? rows : 1;
}

float* offset(void* operand, int64_t elements) {
    return operand ? static_cast<float*>(operand) + elements : nullptr;
}

void run_rows(const RowsParams& norm, void* const* operands, Worker& worker) {
    const int64_t step = norm.rows_per_chunk;
    parallel_for(worker, ceil_div(norm.args.rows, step), [&](int64_t chunk) {
        const int64_t first = chunk * step;
        NormRowsArgs args = norm.args;
        args.x = offset(operands[kX], first * args.x_stride);
        args.weight = offset(operands[kWeight], 0);
        args.bias = offset(operands[kBias], 0);
        args.residual = offset(operands[kResidual], first * args.residual_stride);
        args.y = offset(operands[kY], first * args.y_stride);
        args.mean = offset(operands[kMean], first);
        args.inverse_std = offset(operands[kInverseStd], first);
        args.rows = args.rows - first < step ? args.rows - first : step;
        norm.kernel(args);
    });
}

void run_rms_norm(const void* params, void* const* o, Worker& worker) {
    void* const operands[kRowsOperands] = {o[0], o[1], nullptr, o[2], o[3], nullptr, nullptr};
    run_rows(*static_cast<const RowsParams*>(params), operands, worker);
}

template <int outputs>
void run_layer_norm(const void* params, void* const* o, Worker& worker) {
    void* const operands[kRowsOperands] = {
        o[0], o[1], o[2], o[3], o[4], outputs > 1 ? o[5] : nullptr, outputs > 2 ? o[6] : nullptr};
    run_rows(*static_cast<const RowsParams*>(params), operands, worker);
}

bool is_f32(const Tensor& t) { return t.dtype == DType::f32; }

// A vector of that many contiguous float32 elements.
bool is_vector(const Tensor& t, int64_t n) {
    return is_f32(t) && t.rank == 1 && t.shape[0] == n && is_contiguous(t);
}

Status check_rows(const OpDesc& desc, int residual) {
    const char* op = desc.op.c_str();
    const Tensor &x = desc.in(0), &y = desc.out(0);
    if (x.rank != 2 || !same_shape(x, y) || !is_f32(x) || !is_f32(y))
        return invalid("%s: x and y must be float32 of one shape [rows, n]", op);
    if ((x.strides[1] != 1 || y.strides[1] != 1) && x.shape[1] != 1)
        return invalid("%s: the last axis must be contiguous", op);
    for (int i = 1; i < residual; ++i)
        if (desc.has(i) && !is_vector(desc.in(i), x.shape[1]))
            return invalid("%s: operand %d must be a contiguous float32 vector of %ld elements", op,
                           i, long(x.shape[1]));
    if (!desc.has(residual)) return {};
    const Tensor& r = desc.in(residual);
    if (!same_shape(r, x) || !is_f32(r) || (r.strides[1] != 1 && x.shape[1] != 1))
        return invalid("%s: the residual must be float32 of the shape of x, rows contiguous", op);
    return {};
}

void bind_rows(const OpDesc& desc, const char* function, int residual, double flops,
               BoundOp* bound) {
    const Tensor &x = desc.in(0), &y = desc.out(0);
    auto params = std::make_shared<RowsParams>();
    params->kernel = select<NormRows>(kKernels, function, desc.allowed, &bound->kernel);
    params->args = {};
    params->args.rows = x.shape[0];
    params->args.n = x.shape[1];
    params->args.x_stride = x.strides[0];
    params->args.y_stride = y.strides[0];
    params->args.residual_stride = desc.has(residual) ? desc.in(residual).strides[0] : 0;
    params->args.epsilon = static_cast<float>(desc.attributes.real("epsilon", 1e-5));
    params->rows_per_chunk = rows_per_chunk(x.shape[1]);
    const auto elements = static_cast<double>(element_count(x));
    bound->params = params;
    bound->flops = flops * elements;
    bound->bytes = (desc.has(residual) ? 12.0 : 8.0) * elements;
}

// rms_norm(x [rows, n], weight [n]?, residual [rows, n]?) -> y; attribute epsilon.
Status bind_rms_norm(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 3 || desc.outputs.size() != 1)
        return invalid("rms_norm takes x, weight, residual and gives y");
    const Status status = check_rows(desc, 2);
    if (!status.ok) return status;
    bind_rows(desc, "rms_norm_f32", 2, 4.0, bound);
    bound->run = run_rms_norm;
    return {};
}

// layer_norm(x [rows, n], weight [n]?, bias [n]?, residual [rows, n]?) -> y, mean [rows]?,
// inverse_std [rows]?; attribute epsilon.
Status bind_layer_norm(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 4 || desc.outputs.empty() || desc.outputs.size() > 3)
        return invalid("layer_norm takes x, weight, bias, residual; gives y, mean?, inverse_std?");
    const Status status = check_rows(desc, 3);
    if (!status.ok) return status;
    for (size_t i = 1; i < desc.outputs.size(); ++i)
        if (desc.outputs[i].present && !is_vector(desc.out(i), desc.in(0).shape[0]))
            return invalid("layer_norm: output %zu must be a contiguous vector of one per row", i);
    bind_rows(desc, "layer_norm_f32", 3, 8.0, bound);
    constexpr RunFn kRun[] = {run_layer_norm<1>, run_layer_norm<2>, run_layer_norm<3>};
    bound->run = kRun[desc.outputs.size() - 1];
    return {};
}

struct HeadsParams {
    NormRows* kernel;
    NormRowsArgs args;  // of one token: a row per head; pointers are filled in per run
    int64_t x_token, y_token;
    RowsCost cost;
};

void run_heads(const void* params, void* const* operands, Worker& worker) {
    const auto& norm = *static_cast<const HeadsParams*>(params);
    parallel_for(worker, *static_cast<const int32_t*>(operands[0]), [&](int64_t token) {
        NormRowsArgs args = norm.args;
        args.x = offset(operands[1], token * norm.x_token);
        args.weight = offset(operands[2], 0);
        args.y = offset(operands[3], token * norm.y_token);
        norm.kernel(args);
    });
}

// rms_norm_heads(rows, x [t, heads d], weight [d]) -> y [t, heads d], which may be x; attribute
// epsilon. Each head of the tokens in use is normalised by itself.
Status bind_rms_norm_heads(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 3 || desc.outputs.size() != 1 || !is_rows_in_use(desc.in(0)))
        return invalid("rms_norm_heads takes rows int32 [1], x, weight and gives y");
    const Tensor &x = desc.in(1), &weight = desc.in(2), &y = desc.out(0);
    if (!is_matrix(x, DType::f32) || !is_matrix(y, DType::f32) || !same_shape(x, y))
        return invalid("rms_norm_heads: x and y must be float32 of one shape [t, heads d]");
    if (weight.rank != 1 || weight.shape[0] < 1 || !is_vector(weight, weight.shape[0]) ||
        x.shape[1] % weight.shape[0])
        return invalid("rms_norm_heads: weight must be float32 [d], d a divisor of %ld",
                       long(x.shape[1]));
    auto params = std::make_shared<HeadsParams>();
    NormRowsArgs& args = params->args = {};
    params->kernel = select<NormRows>(kKernels, "rms_norm_f32", desc.allowed, &bound->kernel);
    args.n = args.x_stride = args.y_stride = weight.shape[0];
    args.rows = x.shape[1] / args.n;
    args.epsilon = static_cast<float>(desc.attributes.real("epsilon", 1e-5));
    params->x_token = x.strides[0];
    params->y_token = y.strides[0];
    bound->params = params;
    bound->run = run_heads;
    const auto width = static_cast<double>(x.shape[1]);
    state_rows_cost(bound, params.get(), x.shape[0],
                    {{0, 4.0 * static_cast<double>(args.n)}, {4 * width, 8 * width}});
    return {};
}

struct GroupsParams {
    NormGroups* kernel;
    NormGroupsArgs args;  // of one item; pointers are filled in per run
    int64_t batches, groups;
    int64_t groups_per_item, items_per_batch;
    int64_t x_batch_stride, y_batch_stride;
};

void run_groups(const void* params, void* const* operands, Worker& worker) {
    const auto& norm = *static_cast<const GroupsParams*>(params);
    parallel_for(worker, norm.batches * norm.items_per_batch, [&](int64_t item) {
        const int64_t batch = item / norm.items_per_batch;
        const int64_t group = item % norm.items_per_batch * norm.groups_per_item;
        const int64_t channel = group * norm.args.channels_per_group;
        NormGroupsArgs args = norm.args;
        args.groups =
            norm.groups - group < norm.groups_per_item ? norm.groups - group : norm.groups_per_item;
        args.x = offset(operands[0], batch * norm.x_batch_stride + channel * args.x_channel_stride);
        args.weight = offset(operands[1], channel);
        args.bias = offset(operands[2], channel);
        args.y = offset(operands[3], batch * norm.y_batch_stride + channel * args.y_channel_stride);
        args.scratch = static_cast<float*>(worker.scratch);
        norm.kernel(args);
    });
}

Status check_groups(const OpDesc& desc, int64_t groups) {
    if (desc.inputs.size() != 3 || desc.outputs.size() != 1)
        return invalid("group_norm takes x, weight, bias and gives y");
    const Tensor &x = desc.in(0), &y = desc.out(0);
    if (x.rank != 3 || !same_shape(x, y) || !is_f32(x) || !is_f32(y))
        return invalid("group_norm: x and y must be float32 of one shape [n, c, s]");
    if (groups < 1 || x.shape[1] % groups != 0)
        return invalid("group_norm: %ld channels do not divide into %ld groups", long(x.shape[1]),
                       long(groups));
    for (int i = 1; i < 3; ++i)
        if (desc.has(i) && !is_vector(desc.in(i), x.shape[1]))
            return invalid("group_norm: operand %d must be a contiguous float32 vector of %ld", i,
                           long(x.shape[1]));
    return {};
}

// group_norm(x [n, c, s], weight [c]?, bias [c]?) -> y; attributes groups, epsilon, activation.
Status bind_group_norm(const OpDesc& desc, BoundOp* bound) {
    // Channels-last items of that width share no cache line; planar groups need not be joined.
    constexpr int64_t kItemChannels = 64;
    const int64_t groups = desc.attributes.integer("groups", 1);
    Status status = check_groups(desc, groups);
    if (!status.ok) return status;
    const Tensor &x = desc.in(0), &y = desc.out(0);
    auto params = std::make_shared<GroupsParams>();
    NormGroupsArgs& args = params->args;
    status = read_activation(desc, "activation", &args.activation);
    if (!status.ok) return status;
    params->kernel = select<NormGroups>(kKernels, "group_norm_f32", desc.allowed, &bound->kernel);
    args.channels_per_group = x.shape[1] / groups;
    args.s = x.shape[2];
    args.x_channel_stride = x.strides[1];
    args.x_stride = x.strides[2];
    args.y_channel_stride = y.strides[1];
    args.y_stride = y.strides[2];
    args.epsilon = static_cast<float>(desc.attributes.real("epsilon", 1e-5));
    params->batches = x.shape[0];
    params->groups = groups;
    params->x_batch_stride = x.strides[0];
    params->y_batch_stride = y.strides[0];
    const int64_t width = args.channels_per_group > 0 ? args.channels_per_group : 1;
    params->groups_per_item = x.strides[1] == 1 ? ceil_div(kItemChannels, width) : 1;
    params->items_per_batch = (groups + params->groups_per_item - 1) / params->groups_per_item;
    bound->worker_scratch_bytes =
        sizeof(float) * 5 * static_cast<size_t>(params->groups_per_item * width);
    const auto elements = static_cast<double>(element_count(x));
    bound->run = run_groups;
    bound->flops = 8.0 * elements;
    bound->bytes = 8.0 * elements;
    bound->params = params;
    return {};
}

const OpEntry kOps[] = {{"rms_norm", bind_rms_norm},
                        {"rms_norm_heads", bind_rms_norm_heads},
                        {"layer_norm", bind_layer_norm},
                        {"group_norm", bind_group_norm}};

}  // namespace

Family norm_family() { return make_family("norm", kOps, kKernels); }

}  // namespace hades
