#include "kernels/gather/gather.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/element.h"
#include "base/rounding.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/gather/gather.inc"
#undef HADES_KERNEL
};

// The loops of one gather or scatter.
struct Plan {
    std::vector<GatherLoop> loops;
    std::vector<GatherComponent> components;
    int64_t run = 1, tuples = 1;
    int64_t slices = 1;  // outermost parts that reach different elements of the indexed tensor
};

struct GatherParams {
    Gather* kernel;
    Plan plan;
    bool wide;
};

struct ScatterParams {
    Gather *copy, *scatter;
    Plan copy_plan, plan;
    bool wide;
};

constexpr int64_t kElementsPerChunk = 8192;

GatherArgs arguments(const Plan& plan, bool wide, const void* fixed, const void* indices,
                     const void* dense) {
    GatherArgs args = {};
    args.fixed = const_cast<void*>(fixed);
    args.indices = indices;
    args.dense = const_cast<void*>(dense);
    args.wide = wide;
    args.loops = plan.loops.data();
    args.loop_count = static_cast<int64_t>(plan.loops.size());
    args.components = plan.components.data();
    args.component_count = static_cast<int64_t>(plan.components.size());
    args.run = plan.run;
    args.last = plan.tuples;
    return args;
}

void run_plan(Gather* kernel, const Plan& plan, const GatherArgs& whole, Worker& worker) {
    const int64_t per_chunk = std::max<int64_t>(1, kElementsPerChunk / plan.run);
    const int64_t chunks = ceil_div(plan.tuples, per_chunk);
    parallel_for(worker, chunks, [&](int64_t chunk) {
        GatherArgs args = whole;
        args.first = chunk * per_chunk;
        args.last = std::min(args.first + per_chunk, plan.tuples);
        kernel(args);
    });
}

void run_gather(const void* params, void* const* operands, Worker& worker) {
    const auto& gather = *static_cast<const GatherParams*>(params);
    run_plan(gather.kernel, gather.plan,
             arguments(gather.plan, gather.wide, operands[0], operands[1], operands[2]), worker);
}

// The updates of a slice are applied by one worker: two may name the same element, and their order
// counts.
void run_scatter(const void* params, void* const* operands, Worker& worker) {
    const auto& scatter = *static_cast<const ScatterParams*>(params);
    run_plan(scatter.copy, scatter.copy_plan,
             arguments(scatter.copy_plan, false, operands[0], nullptr, operands[3]), worker);
    sync(worker);
    const Plan& plan = scatter.plan;
    const int64_t length = plan.tuples / plan.slices;
    const int64_t per_chunk =
        std::max<int64_t>(1, kElementsPerChunk / std::max<int64_t>(1, length * plan.run));
    parallel_for(worker, length > 0 ? ceil_div(plan.slices, per_chunk) : 0, [&](int64_t chunk) {
        GatherArgs args = arguments(plan, scatter.wide, operands[3], operands[1], operands[2]);
        args.first = chunk * per_chunk * length;
        args.last = std::min(args.first + per_chunk * length, plan.tuples);
        scatter.scatter(args);
    });
}

// Drops loops of one step and turns trailing loops that are contiguous on both sides into a run.
void finish_plan(Plan* plan) {
    for (const GatherLoop& loop : plan->loops) plan->tuples *= loop.extent;
    auto& loops = plan->loops;
    loops.erase(std::remove_if(loops.begin(), loops.end(),
                               [](const GatherLoop& loop) { return loop.extent == 1; }),
                loops.end());
    if (plan->tuples == 0) return;
    while (!loops.empty() && loops.back().index == 0 && loops.back().fixed == plan->run &&
           loops.back().dense == plan->run) {
        plan->run *= loops.back().extent;
        plan->tuples /= loops.back().extent;
        loops.pop_back();
    }
}

// Axes [first, rank) of the indexed tensor beside those of the dense one that begin at `dense_at`.
void add_inner_loops(const Tensor& fixed, int first, const Tensor& dense, int dense_at,
                     Plan* plan) {
    for (int i = first; i < fixed.rank; ++i)
        plan->loops.push_back(
            {fixed.shape[i], fixed.strides[i], 0, dense.strides[dense_at + i - first]});
}

Plan plan_gather(const Tensor& x, const Tensor& indices, const Tensor& y, int axis) {
    Plan plan;
    for (int i = 0; i < axis; ++i)
        plan.loops.push_back({x.shape[i], x.strides[i], 0, y.strides[i]});
    for (int i = 0; i < indices.rank; ++i)
        plan.loops.push_back({indices.shape[i], 0, indices.strides[i], y.strides[axis + i]});
    add_inner_loops(x, axis + 1, y, axis + indices.rank, &plan);
    plan.components.push_back({x.shape[axis], x.strides[axis], 0});
    finish_plan(&plan);
    return plan;
}

Plan plan_elements(const Tensor& fixed, const Tensor& indices, const Tensor& dense, int axis) {
    Plan plan;
    for (int i = 0; i < indices.rank; ++i)
        plan.loops.push_back({indices.shape[i], i == axis ? 0 : fixed.strides[i],
                              indices.strides[i], dense.strides[i]});
    plan.components.push_back({fixed.shape[axis], fixed.strides[axis], 0});
    for (int i = 0; i < axis; ++i) plan.slices *= indices.shape[i];
    finish_plan(&plan);
    if (plan.tuples == 0) plan.slices = 1;
    return plan;
}

Plan plan_tuples(const Tensor& fixed, const Tensor& indices, const Tensor& dense, int batch) {
    Plan plan;
    const int last = indices.rank - 1;
    const int components = static_cast<int>(indices.shape[last]);
    for (int i = 0; i < last; ++i)
        plan.loops.push_back({indices.shape[i], i < batch ? fixed.strides[i] : 0,
                              indices.strides[i], dense.strides[i]});
    add_inner_loops(fixed, batch + components, dense, last, &plan);
    for (int i = 0; i < components; ++i)
        plan.components.push_back(
            {fixed.shape[batch + i], fixed.strides[batch + i], i * indices.strides[last]});
    finish_plan(&plan);
    return plan;
}

Plan plan_copy(const Tensor& x, const Tensor& y) {
    Plan plan;
    add_inner_loops(x, 0, y, 0, &plan);
    finish_plan(&plan);
    return plan;
}

// Indices that are known when binding must be in range; others are checked when they are used.
Status check_constant(const OpDesc& desc, const Plan& plan, bool wide) {
    const void* data = desc.inputs[1].constant;
    const Tensor& indices = desc.in(1);
    if (!data || element_count(indices) == 0) return {};
    const bool tuples = desc.op == "gather_nd" || desc.op == "scatter_nd";
    for (int64_t flat = 0, count = element_count(indices); flat < count; ++flat) {
        int64_t rest = flat, offset = 0, last = 0;
        for (int i = indices.rank; i-- > 0; rest /= indices.shape[i]) {
            offset += rest % indices.shape[i] * indices.strides[i];
            if (i == indices.rank - 1) last = rest % indices.shape[i];
        }
        const int64_t value = wide ? static_cast<const int64_t*>(data)[offset]
                                   : static_cast<const int32_t*>(data)[offset];
        const int64_t extent = plan.components[static_cast<size_t>(tuples ? last : 0)].extent;
        if (value < -extent || value >= extent)
            return invalid("%s: index %lld is outside [-%lld, %lld)", desc.op.c_str(),
                           static_cast<long long>(value), static_cast<long long>(extent),
                           static_cast<long long>(extent));
    }
    return {};
}

Status check_operands(const OpDesc& desc, size_t inputs) {
    const char* op = desc.op.c_str();
    if (desc.inputs.size() != inputs || desc.outputs.size() != 1 || !desc.has(0) || !desc.has(1) ||
        (inputs == 3 && !desc.has(2)))
        return invalid("%s takes %zu inputs and gives one output", op, inputs);
    const DType dtype = desc.in(0).dtype;
    if (desc.out(0).dtype != dtype || (inputs == 3 && desc.in(2).dtype != dtype))
        return invalid("%s: data, updates and y must have one dtype", op);
    if (desc.in(1).dtype != DType::i64 && desc.in(1).dtype != DType::i32)
        return invalid("%s: indices must be int32 or int64", op);
    return {};
}

Status read_axis(const OpDesc& desc, int* axis) {
    const int64_t rank = desc.in(0).rank;
    int64_t value = desc.attributes.integer("axis", 0);
    if (value < 0) value += rank;
    if (value < 0 || value >= rank)
        return invalid("%s: axis is outside [-%d, %d)", desc.op.c_str(), static_cast<int>(rank),
                       static_cast<int>(rank));
    *axis = static_cast<int>(value);
    return {};
}

// Whether the axes of t are exactly those extents.
bool has_shape(const Tensor& t, const std::vector<int64_t>& shape) {
    return t.rank == static_cast<int>(shape.size()) &&
           std::equal(shape.begin(), shape.end(), t.shape);
}

std::vector<int64_t> shape_of(const Tensor& t, int first, int last) {
    return {t.shape + first, t.shape + last};
}

std::vector<int64_t> joined(std::vector<int64_t> a, const std::vector<int64_t>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

// The shape of the dense side of gather_nd and scatter_nd.
Status tuple_shape(const OpDesc& desc, int batch, std::vector<int64_t>* shape) {
    const Tensor &x = desc.in(0), &indices = desc.in(1);
    const int last = indices.rank - 1;
    if (last < batch || batch < 0 || batch + indices.shape[last] > x.rank)
        return invalid(
            "%s: indices has %d axes with tuples of %lld, data has %d axes, batch_dims "
            "is %d",
            desc.op.c_str(), indices.rank,
            static_cast<long long>(last < 0 ? 0 : indices.shape[last]), x.rank, batch);
    for (int i = 0; i < batch; ++i)
        if (x.shape[i] != indices.shape[i])
            return invalid("%s: data and indices differ in batch axis %d", desc.op.c_str(), i);
    *shape = joined(shape_of(indices, 0, last),
                    shape_of(x, batch + static_cast<int>(indices.shape[last]), x.rank));
    return {};
}

Gather* select_sized(const char* const (&names)[4], const OpDesc& desc, const char** kernel) {
    return select<Gather>(kKernels, sized_name(names, desc.in(0).dtype), desc.allowed, kernel);
}

Gather* select_gather(const OpDesc& desc, const char** kernel) {
    return select_sized({"gather_b1", "gather_b2", "gather_b4", "gather_b8"}, desc, kernel);
}

Status finish_gather(const OpDesc& desc, Plan plan, BoundOp* bound) {
    auto params = std::make_shared<GatherParams>();
    params->wide = desc.in(1).dtype == DType::i64;
    params->plan = std::move(plan);
    params->kernel = select_gather(desc, &bound->kernel);
    bound->run = run_gather;
    bound->params = params;
    bound->bytes = 2.0 * static_cast<double>(element_count(desc.out(0))) *
                   static_cast<double>(size_of(desc.out(0).dtype));
    return check_constant(desc, params->plan, params->wide);
}

const char* reduced_suffix(DType dtype) {
    switch (dtype) {
        case DType::f32:
            return "f32";
        case DType::f64:
            return "f64";
        case DType::i8:
            return "i8";
        case DType::u8:
            return "u8";
        case DType::i32:
            return "i32";
        case DType::i64:
            return "i64";
        case DType::u64:
            return "u64";
        default:
            return "";
    }
}

Status finish_scatter(const OpDesc& desc, Plan plan, BoundOp* bound) {
    auto params = std::make_shared<ScatterParams>();
    const char* copy_kernel = nullptr;
    params->wide = desc.in(1).dtype == DType::i64;
    params->plan = std::move(plan);
    params->copy_plan = plan_copy(desc.in(0), desc.out(0));
    params->copy = select_gather(desc, &copy_kernel);
    const std::string reduction = desc.attributes.text("reduction", "none");
    if (reduction == "none") {
        params->scatter = select_sized({"scatter_b1", "scatter_b2", "scatter_b4", "scatter_b8"},
                                       desc, &bound->kernel);
    } else {
        const std::string name = "scatter_" + reduction + "_" + reduced_suffix(desc.in(0).dtype);
        params->scatter = select<Gather>(kKernels, name.c_str(), desc.allowed, &bound->kernel);
    }
    if (!params->scatter)
        return invalid("%s: no kernel for reduction \"%s\" of %s", desc.op.c_str(),
                       reduction.c_str(), name_of(desc.in(0).dtype));
    bound->run = run_scatter;
    bound->params = params;
    bound->bytes = 2.0 * static_cast<double>(element_count(desc.out(0))) *
                   static_cast<double>(size_of(desc.out(0).dtype));
    return check_constant(desc, params->plan, params->wide);
}

// gather(data, indices) -> y; attribute axis.
Status bind_gather(const OpDesc& desc, BoundOp* bound) {
    int axis = 0;
    if (Status status = check_operands(desc, 2); !status.ok) return status;
    if (Status status = read_axis(desc, &axis); !status.ok) return status;
    const Tensor &x = desc.in(0), &indices = desc.in(1), &y = desc.out(0);
    if (!has_shape(y, joined(joined(shape_of(x, 0, axis), shape_of(indices, 0, indices.rank)),
                             shape_of(x, axis + 1, x.rank))))
        return invalid(
            "gather: y must have the shape of data with axis %d replaced by that of "
            "indices",
            axis);
    return finish_gather(desc, plan_gather(x, indices, y, axis), bound);
}

Status check_elements(const OpDesc& desc, const Tensor& dense, int axis) {
    const Tensor &x = desc.in(0), &indices = desc.in(1);
    if (x.rank != indices.rank || !same_shape(indices, dense))
        return invalid("%s: indices must have the rank of data and the shape of %s",
                       desc.op.c_str(), desc.inputs.size() == 3 ? "updates" : "y");
    for (int i = 0; i < x.rank; ++i)
        if (i != axis && indices.shape[i] > x.shape[i])
            return invalid("%s: indices is longer than data along axis %d", desc.op.c_str(), i);
    return {};
}

// gather_elements(data, indices) -> y; attribute axis.
Status bind_gather_elements(const OpDesc& desc, BoundOp* bound) {
    int axis = 0;
    if (Status status = check_operands(desc, 2); !status.ok) return status;
    if (Status status = read_axis(desc, &axis); !status.ok) return status;
    if (Status status = check_elements(desc, desc.out(0), axis); !status.ok) return status;
    return finish_gather(desc, plan_elements(desc.in(0), desc.in(1), desc.out(0), axis), bound);
}

// gather_nd(data, indices) -> y; attribute batch_dims.
Status bind_gather_nd(const OpDesc& desc, BoundOp* bound) {
    if (Status status = check_operands(desc, 2); !status.ok) return status;
    const int batch = static_cast<int>(desc.attributes.integer("batch_dims", 0));
    std::vector<int64_t> shape;
    if (Status status = tuple_shape(desc, batch, &shape); !status.ok) return status;
    if (!has_shape(desc.out(0), shape)) return invalid("gather_nd: y has the wrong shape");
    return finish_gather(desc, plan_tuples(desc.in(0), desc.in(1), desc.out(0), batch), bound);
}

// scatter_elements(data, indices, updates) -> y; attributes axis, reduction.
Status bind_scatter_elements(const OpDesc& desc, BoundOp* bound) {
    int axis = 0;
    if (Status status = check_operands(desc, 3); !status.ok) return status;
    if (Status status = read_axis(desc, &axis); !status.ok) return status;
    if (!same_shape(desc.in(0), desc.out(0)))
        return invalid("scatter_elements: y must have the shape of data");
    if (Status status = check_elements(desc, desc.in(2), axis); !status.ok) return status;
    return finish_scatter(desc, plan_elements(desc.out(0), desc.in(1), desc.in(2), axis), bound);
}

// scatter_nd(data, indices, updates) -> y; attribute reduction.
Status bind_scatter_nd(const OpDesc& desc, BoundOp* bound) {
    if (Status status = check_operands(desc, 3); !status.ok) return status;
    std::vector<int64_t> shape;
    if (Status status = tuple_shape(desc, 0, &shape); !status.ok) return status;
    if (!has_shape(desc.in(2), shape) || !same_shape(desc.in(0), desc.out(0)))
        return invalid("scatter_nd: updates or y has the wrong shape");
    return finish_scatter(desc, plan_tuples(desc.out(0), desc.in(1), desc.in(2), 0), bound);
}

const OpEntry kOps[] = {{"gather", bind_gather},
                        {"gather_elements", bind_gather_elements},
                        {"gather_nd", bind_gather_nd},
                        {"scatter_elements", bind_scatter_elements},
                        {"scatter_nd", bind_scatter_nd}};

}  // namespace

Family gather_family() { return make_family("gather", kOps, kKernels); }

}  // namespace hades
