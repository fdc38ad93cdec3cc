#include "kernels/ranking/ranking.h"

#include "base/loop_nest.h"
#include "base/registry.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/ranking/ranking.inc"
#undef HADES_KERNEL
};

struct RankingParams {
    Rank* kernel;
    LoopNest lines;  // operands x, values and positions over all other axes
    RankingArgs args;
    int64_t element;  // bytes
};

void run_rank(const void* params, void* const* operands, Worker& worker) {
    const auto& p = *static_cast<const RankingParams*>(params);
    parallel_for(worker, p.lines.count, [&](int64_t line) {
        for_each_run(p.lines, line, line + 1, [&](const int64_t* offsets, int64_t) {
            RankingArgs args = p.args;
            args.x = static_cast<const char*>(operands[0]) + offsets[0] * p.element;
            args.values = static_cast<char*>(operands[1]) + offsets[1] * p.element;
            args.positions = static_cast<int64_t*>(operands[2]) + offsets[2];
            args.scratch = worker.scratch;
            p.kernel(args);
        });
    });
}

Tensor without(const Tensor& tensor, int axis) {
    Tensor rest;
    rest.dtype = tensor.dtype;
    for (int i = 0; i < tensor.rank; ++i) {
        if (i == axis) continue;
        rest.shape[rest.rank] = tensor.shape[i];
        rest.strides[rest.rank++] = tensor.strides[i];
    }
    return rest;
}

Status check_ranking(const OpDesc& desc, int axis) {
    const Tensor &x = desc.in(0), &values = desc.out(0), &positions = desc.out(1);
    if (values.dtype != x.dtype || positions.dtype != DType::i64)
        return invalid("rank: values must have the dtype of x, and positions be int64");
    bool fits = values.rank == x.rank && positions.rank == x.rank;
    for (int i = 0; fits && i < x.rank; ++i) {
        fits = values.shape[i] == positions.shape[i];
        fits = fits && (i == axis ? values.shape[i] <= x.shape[i] : values.shape[i] == x.shape[i]);
    }
    if (fits) return {};
    return invalid("rank: values and positions must have the shape of x, shorter along the axis");
}

// rank(x) -> values, positions; attributes axis, largest.
Status bind_rank(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 1 || desc.outputs.size() != 2)
        return invalid("rank takes x and gives values and positions");
    const Tensor &x = desc.in(0), &values = desc.out(0), &positions = desc.out(1);
    const int64_t stated = desc.attributes.integer("axis", -1);
    if (stated < -x.rank || stated >= x.rank)
        return invalid("rank: axis %ld is outside rank %d", long(stated), int(x.rank));
    const int axis = static_cast<int>(stated < 0 ? stated + x.rank : stated);
    const Status status = check_ranking(desc, axis);
    if (!status.ok) return status;
    const auto find = select<FindRank>(kKernels, "rank", desc.allowed, &bound->kernel);
    auto params = std::make_shared<RankingParams>();
    params->kernel = find(x.dtype);
    params->element = static_cast<int64_t>(size_of(x.dtype));
    const Tensor rest[] = {without(x, axis), without(values, axis), without(positions, axis)};
    const Tensor* const lines[] = {&rest[0], &rest[1], &rest[2]};
    params->lines = make_loop_nest(lines, 3);
    RankingArgs& args = params->args;
    args = {};
    args.x_stride = x.strides[axis];
    args.value_stride = values.strides[axis];
    args.position_stride = positions.strides[axis];
    args.n = x.shape[axis];
    args.k = values.shape[axis];
    args.largest = desc.attributes.integer("largest", 1) != 0;
    bound->run = args.k > 0 ? run_rank : run_nothing;
    bound->worker_scratch_bytes = static_cast<size_t>(args.k * kRankingEntry);
    bound->flops = static_cast<double>(element_count(x));
    bound->bytes = touched_bytes(x) + touched_bytes(values) + touched_bytes(positions);
    bound->params = params;
    return {};
}

const OpEntry kOps[] = {{"rank", bind_rank}};

}  // namespace

Family ranking_family() { return make_family("ranking", kOps, kKernels); }

}  // namespace hades
