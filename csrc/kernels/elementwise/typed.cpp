#include <utility>

#include "kernels/elementwise/bind.h"

// Binding of `unary`, `binary`, `select` and `cast`. float32 arithmetic becomes a pointwise program
// of one step; everything else runs the typed loops.
namespace hades {
namespace {

constexpr int64_t kChunk = 16384;  // elements
constexpr int kMaxOperands = 4;

struct TypedParams {
    AnyFn loop;
    LoopNest nest;
    int64_t sizes[kMaxOperands];  // bytes per element
};

// Where the runs of all operands start, and how they advance.
struct Run {
    char* data[kMaxOperands];
    int64_t strides[kMaxOperands];
    int64_t n;
};

void call(UnaryLoop* loop, const Run& r) {
    loop(r.data[0], r.strides[0], r.data[1], r.strides[1], r.n);
}
void call(BinaryLoop* loop, const Run& r) {
    loop(r.data[0], r.strides[0], r.data[1], r.strides[1], r.data[2], r.strides[2], r.n);
}
void call(SelectLoop* loop, const Run& r) {
    loop(r.data[0], r.strides[0], r.data[1], r.strides[1], r.data[2], r.strides[2], r.data[3],
         r.strides[3], r.n);
}

template <class Loop>
void run_typed(const void* params, void* const* operands, Worker& worker) {
    const auto& typed = *static_cast<const TypedParams*>(params);
    const LoopNest& nest = typed.nest;
    Run run = {};
    for (int o = 0; o < nest.operands; ++o) run.strides[o] = inner_stride(nest, o);
    parallel_for(worker, (nest.count + kChunk - 1) / kChunk, [&](int64_t chunk) {
        const int64_t begin = chunk * kChunk;
        const int64_t end = begin + kChunk < nest.count ? begin + kChunk : nest.count;
        for_each_run(nest, begin, end, [&](const int64_t* offsets, int64_t n) {
            for (int o = 0; o < nest.operands; ++o)
                run.data[o] = static_cast<char*>(operands[o]) + offsets[o] * typed.sizes[o];
            run.n = n;
            call(reinterpret_cast<Loop*>(typed.loop), run);
        });
    });
}

template <class Loop>
Status bind_typed(const OpDesc& desc, Loop* loop, BoundOp* bound) {
    auto params = std::make_shared<TypedParams>();
    const Tensor* tensors[kMaxOperands];
    int count = 0;
    for (const Operand& input : desc.inputs) tensors[count++] = &input.tensor;
    tensors[count++] = &desc.out(0);
    for (int i = 0; i < count; ++i) {
        if (!same_shape(*tensors[i], desc.out(0)))
            return invalid("%s: operand %d does not have the output's shape", desc.op.c_str(), i);
        params->sizes[i] = static_cast<int64_t>(size_of(tensors[i]->dtype));
        bound->bytes += touched_bytes(*tensors[i]);
    }
    params->loop = reinterpret_cast<AnyFn>(loop);
    params->nest = make_loop_nest(tensors, count);
    bound->flops = static_cast<double>(params->nest.count);
    bound->run = run_typed<Loop>;
    bound->params = params;
    return {};
}

Status check_arity(const OpDesc& desc, int inputs) {
    bool complete = desc.inputs.size() == static_cast<size_t>(inputs) && desc.outputs.size() == 1;
    for (const Operand& input : desc.inputs) complete = complete && input.present;
    if (complete) return {};
    return invalid("%s takes %d inputs and gives one output", desc.op.c_str(), inputs);
}

bool is_float32(const OpDesc& desc) {
    for (const Operand& input : desc.inputs)
        if (input.tensor.dtype != DType::f32) return false;
    return desc.out(0).dtype == DType::f32;
}

Status bind_one_step(const OpDesc& desc, const ElementFunction& function, BoundOp* bound) {
    MapProgram program;
    program.steps.push_back({function.number, function.operands, 0, function.operands - 1, 0});
    return bind_program(desc, std::move(program), bound);
}

// The dtype of the result: bool for predicates, else that of the operands.
Status check_result(const OpDesc& desc, const ElementFunction& function) {
    const DType expected = function.is_predicate ? DType::boolean : desc.in(0).dtype;
    if (desc.out(0).dtype == expected) return {};
    return invalid("%s: %s gives %s, but the output is %s", desc.op.c_str(), function.name,
                   name_of(expected), name_of(desc.out(0).dtype));
}

// `unary` and `binary`: a pointwise program of one step where that computes float32, else a loop.
template <class Find>
Status bind_function(const OpDesc& desc, int operands, BoundOp* bound) {
    const Status status = check_arity(desc, operands);
    if (!status.ok) return status;
    const char* op = desc.op.c_str();
    const std::string name = desc.attributes.text("function", "");
    const ElementFunction* function = find_function(name.c_str());
    const bool is_known = function && function->operands == operands;
    if (is_known && function->in_programs && is_float32(desc))
        return bind_one_step(desc, *function, bound);
    const auto find = reinterpret_cast<Find*>(select_elementwise(op, desc.allowed, &bound->kernel));
    auto* loop = is_known ? find(function->number, desc.in(0).dtype) : nullptr;
    if (!loop)
        return invalid("%s: no function \"%s\" of %s", op, name.c_str(), name_of(desc.in(0).dtype));
    const Status result = check_result(desc, *function);
    return result.ok ? bind_typed(desc, loop, bound) : result;
}

}  // namespace

// unary(x) -> y; attribute function.
Status bind_unary(const OpDesc& desc, BoundOp* bound) {
    return bind_function<FindUnary>(desc, 1, bound);
}

// binary(a, b) -> y; attribute function.
Status bind_binary(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() == 2 && desc.in(0).dtype != desc.in(1).dtype)
        return invalid("binary: operands are %s and %s; cast one of them",
                       name_of(desc.in(0).dtype), name_of(desc.in(1).dtype));
    return bind_function<FindBinary>(desc, 2, bound);
}

// select(condition, a, b) -> y
Status bind_select(const OpDesc& desc, BoundOp* bound) {
    const Status status = check_arity(desc, 3);
    if (!status.ok) return status;
    const DType dtype = desc.out(0).dtype;
    if (desc.in(0).dtype != DType::boolean || desc.in(1).dtype != dtype ||
        desc.in(2).dtype != dtype)
        return invalid("select takes a bool condition and two operands of the output's dtype");
    const auto find =
        reinterpret_cast<FindSelect*>(select_elementwise("select", desc.allowed, &bound->kernel));
    return bind_typed(desc, find(dtype), bound);
}

// cast(x) -> y
Status bind_cast(const OpDesc& desc, BoundOp* bound) {
    const Status status = check_arity(desc, 1);
    if (!status.ok) return status;
    const auto find =
        reinterpret_cast<FindCast*>(select_elementwise("cast", desc.allowed, &bound->kernel));
    return bind_typed(desc, find(desc.in(0).dtype, desc.out(0).dtype), bound);
}

}  // namespace hades
