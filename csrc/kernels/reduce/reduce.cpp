#include "kernels/reduce/reduce.h"

#include <cstring>

#include "base/registry.h"
#include "base/rounding.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/reduce/reduce.inc"
#undef HADES_KERNEL
};

constexpr int64_t kChunk = 16384;    // input elements
constexpr int64_t kMinOutputs = 64;  // where outputs are contiguous: whole cache lines

struct ReduceParams {
    Reduce* kernel;
    LoopNest kept, reduced;
    int64_t outputs_per_chunk;
};

void run_reduce(const void* params, void* const* operands, Worker& worker) {
    const auto& reduce = *static_cast<const ReduceParams*>(params);
    const int64_t step = reduce.outputs_per_chunk;
    const int64_t count = reduce.kept.count;
    parallel_for(worker, ceil_div(count, step), [&](int64_t chunk) {
        const int64_t begin = chunk * step;
        const int64_t end = begin + step < count ? begin + step : count;
        reduce.kernel({operands[0], operands[1], &reduce.kept, &reduce.reduced, begin, end});
    });
}

// The axes of `tensor` for which reduced[axis] == wanted.
Tensor choose_axes(const Tensor& tensor, const bool* reduced, bool wanted) {
    Tensor chosen;
    chosen.dtype = tensor.dtype;
    for (int axis = 0; axis < tensor.rank; ++axis) {
        if (reduced[axis] != wanted) continue;
        chosen.shape[chosen.rank] = tensor.shape[axis];
        chosen.strides[chosen.rank++] = tensor.strides[axis];
    }
    return chosen;
}

Status check_reduced_shape(const OpDesc& desc, const bool* reduced) {
    const Tensor &x = desc.in(0), &y = desc.out(0);
    bool fits = x.rank == y.rank;
    for (int axis = 0; fits && axis < x.rank; ++axis)
        fits = y.shape[axis] == (reduced[axis] ? 1 : x.shape[axis]);
    if (fits) return {};
    return invalid("%s: the output must have the shape of x with extent 1 along reduced axes",
                   desc.op.c_str());
}

Status read_axes(const OpDesc& desc, bool* reduced) {
    const int rank = desc.in(0).rank;
    for (int64_t axis : desc.attributes.integers("axes")) {
        if (axis < -rank || axis >= rank)
            return invalid("reduce: axis %ld is outside rank %d", long(axis), rank);
        reduced[axis < 0 ? axis + rank : axis] = true;
    }
    return {};
}

// reduce(x) -> y, extent 1 along reduced axes; attributes function, axes.
Status bind_reduce(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 1 || desc.outputs.size() != 1)
        return invalid("reduce takes x and gives y");
    const Tensor &x = desc.in(0), &y = desc.out(0);
    bool reduced[kMaxRank] = {};
    Status status = read_axes(desc, reduced);
    if (status.ok) status = check_reduced_shape(desc, reduced);
    if (!status.ok) return status;
    if (x.dtype != y.dtype) return invalid("reduce: x and y must have one dtype");
    const std::string function = desc.attributes.text("function", "");
    const char* kernel = x.dtype == DType::f32 ? "reduce_f32" : "reduce_typed";
    const auto find = select<FindReduce>(kKernels, kernel, desc.allowed, &bound->kernel);
    auto params = std::make_shared<ReduceParams>();
    params->kernel = find(function.c_str(), x.dtype);
    if (!params->kernel)
        return invalid("reduce: no function \"%s\" of %s", function.c_str(), name_of(x.dtype));
    const Tensor kept_x = choose_axes(x, reduced, false), kept_y = choose_axes(y, reduced, false);
    const Tensor reduced_x = choose_axes(x, reduced, true);
    const Tensor* const kept[] = {&kept_x, &kept_y};
    const Tensor* const gone[] = {&reduced_x};
    params->kept = make_loop_nest(kept, 2);
    params->reduced = make_loop_nest(gone, 1);
    const int64_t depth = params->reduced.count;
    const bool extremum = function == "max" || function == "min";
    if (depth == 0 && extremum && params->kept.count > 0 && x.dtype != DType::f32)
        return invalid("reduce: %s of nothing is not defined for %s", function.c_str(),
                       name_of(x.dtype));
    int64_t outputs = depth > 0 && depth < kChunk ? kChunk / depth : 1;
    if (inner_stride(params->kept, 0) == 1 && outputs < kMinOutputs) outputs = kMinOutputs;
    params->outputs_per_chunk = outputs;
    bound->run = run_reduce;
    bound->flops = static_cast<double>(element_count(x));
    bound->bytes = touched_bytes(x) + touched_bytes(y);
    bound->params = params;
    return {};
}

// What walks lines along one axis: arg_reduce and cumsum.
struct LineParams {
    AnyFn kernel;
    LoopNest lines;  // operands x and y over all other axes
    int64_t x_size, y_size;
    int64_t n, x_stride, y_stride;
    bool largest, last, exclusive, reverse;
};

template <class Body>
void for_each_line(const LineParams& p, void* const* operands, Worker& worker, const Body& body) {
    const int64_t step = p.n < kChunk ? kChunk / (p.n > 0 ? p.n : 1) : 1;
    parallel_for(worker, ceil_div(p.lines.count, step), [&](int64_t chunk) {
        const int64_t begin = chunk * step;
        const int64_t end = begin + step < p.lines.count ? begin + step : p.lines.count;
        for_each_run(p.lines, begin, end, [&](const int64_t* offsets, int64_t count) {
            for (int64_t i = 0; i < count; ++i) {
                const int64_t x = offsets[0] + i * inner_stride(p.lines, 0);
                const int64_t y = offsets[1] + i * inner_stride(p.lines, 1);
                body(static_cast<const char*>(operands[0]) + x * p.x_size,
                     static_cast<char*>(operands[1]) + y * p.y_size);
            }
        });
    });
}

void run_arg_reduce(const void* params, void* const* operands, Worker& worker) {
    const auto& p = *static_cast<const LineParams*>(params);
    const auto kernel = reinterpret_cast<ArgReduce*>(p.kernel);
    for_each_line(p, operands, worker, [&](const char* x, char* y) {
        const int64_t position = kernel(x, p.x_stride, p.n, p.largest, p.last);
        std::memcpy(y, &position, sizeof position);
    });
}

void run_cumsum(const void* params, void* const* operands, Worker& worker) {
    const auto& p = *static_cast<const LineParams*>(params);
    const auto kernel = reinterpret_cast<Cumsum*>(p.kernel);
    for_each_line(p, operands, worker, [&](const char* x, char* y) {
        CumsumArgs args = {x, y, p.x_stride, p.y_stride, p.n, p.exclusive};
        if (p.reverse) {
            args.x = x + (p.n - 1) * p.x_stride * p.x_size;
            args.y = y + (p.n - 1) * p.y_stride * p.y_size;
            args.x_stride = -p.x_stride;
            args.y_stride = -p.y_stride;
        }
        kernel(args);
    });
}

Status bind_lines(const OpDesc& desc, LineParams* params, BoundOp* bound, bool* along) {
    if (desc.inputs.size() != 1 || desc.outputs.size() != 1)
        return invalid("%s takes x and gives y", desc.op.c_str());
    const Tensor &x = desc.in(0), &y = desc.out(0);
    const int64_t axis = desc.attributes.integer("axis", 0);
    if (axis < -x.rank || axis >= x.rank || x.rank != y.rank)
        return invalid("%s: axis %ld is outside rank %d", desc.op.c_str(), long(axis), int(x.rank));
    const int64_t which = axis < 0 ? axis + x.rank : axis;
    along[which] = true;
    const Tensor lines_x = choose_axes(x, along, false), lines_y = choose_axes(y, along, false);
    const Tensor* const lines[] = {&lines_x, &lines_y};
    params->lines = make_loop_nest(lines, 2);
    params->x_size = static_cast<int64_t>(size_of(x.dtype));
    params->y_size = static_cast<int64_t>(size_of(y.dtype));
    params->n = x.shape[which];
    params->x_stride = x.strides[which];
    params->y_stride = y.strides[which];
    bound->flops = static_cast<double>(element_count(x));
    bound->bytes = touched_bytes(x) + touched_bytes(y);
    return {};
}

// arg_reduce(x) -> y int64, extent 1 along the axis; attributes function, axis, select_last_index.
Status bind_arg_reduce(const OpDesc& desc, BoundOp* bound) {
    auto params = std::make_shared<LineParams>();
    bool along[kMaxRank] = {};
    Status status = bind_lines(desc, params.get(), bound, along);
    if (status.ok) status = check_reduced_shape(desc, along);
    if (!status.ok) return status;
    const std::string function = desc.attributes.text("function", "");
    if (function != "argmax" && function != "argmin")
        return invalid("arg_reduce: function \"%s\" is neither argmax nor argmin",
                       function.c_str());
    if (desc.out(0).dtype != DType::i64) return invalid("arg_reduce: y must be int64");
    if (params->n == 0) return invalid("arg_reduce: the axis has no elements");
    const auto find = select<FindArgReduce>(kKernels, "arg_reduce", desc.allowed, &bound->kernel);
    params->kernel = reinterpret_cast<AnyFn>(find(desc.in(0).dtype));
    params->largest = function == "argmax";
    params->last = desc.attributes.integer("select_last_index", 0) != 0;
    bound->run = run_arg_reduce;
    bound->params = params;
    return {};
}

// cumsum(x) -> y; attributes axis, exclusive, reverse.
Status bind_cumsum(const OpDesc& desc, BoundOp* bound) {
    auto params = std::make_shared<LineParams>();
    bool along[kMaxRank] = {};
    const Status status = bind_lines(desc, params.get(), bound, along);
    if (!status.ok) return status;
    const DType dtype = desc.in(0).dtype;
    if (!same_shape(desc.in(0), desc.out(0)) || desc.out(0).dtype != dtype)
        return invalid("cumsum: x and y must have one shape and dtype");
    const auto find = select<FindCumsum>(kKernels, "cumsum", desc.allowed, &bound->kernel);
    params->kernel = reinterpret_cast<AnyFn>(find(dtype));
    if (!params->kernel) return invalid("cumsum: not defined for %s", name_of(dtype));
    params->exclusive = desc.attributes.integer("exclusive", 0) != 0;
    params->reverse = desc.attributes.integer("reverse", 0) != 0;
    bound->run = run_cumsum;
    bound->params = params;
    return {};
}

const OpEntry kOps[] = {
    {"reduce", bind_reduce}, {"arg_reduce", bind_arg_reduce}, {"cumsum", bind_cumsum}};

}  // namespace

Family reduce_family() { return make_family("reduce", kOps, kKernels); }

}  // namespace hades
