#include <cstring>
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

Status check_arity(const OpDesc& desc, size_t inputs) {
    bool complete = desc.inputs.size() == inputs && desc.outputs.size() == 1;
    for (const Operand& input : desc.inputs) complete = complete && input.present;
    if (complete) return {};
    return invalid("%s takes %zu inputs and gives one output", desc.op.c_str(), inputs);
}

// Whether the function runs as a one-step float32 program.
const MapFunction* as_program(const OpDesc& desc, const char* function, int arity) {
    const MapFunction* found = find_map_function(function);
    if (!found || found->arity != arity || desc.out(0).dtype != DType::f32) return nullptr;
    for (const Operand& input : desc.inputs)
        if (input.tensor.dtype != DType::f32) return nullptr;
    return found;
}

Status bind_one_step(const OpDesc& desc, const MapFunction& function, BoundOp* bound) {
    MapProgram program;
    program.steps.push_back({function.number, function.arity, 0, function.arity - 1, 0});
    return bind_program(desc, std::move(program), bound);
}

constexpr const char* kPredicates[] = {"is_nan",          "is_inf",  "is_positive_inf",
                                       "is_negative_inf", "equal",   "less",
                                       "less_equal",      "greater", "greater_equal"};

// The dtype of the result: bool for predicates, else that of the operands.
Status check_result(const OpDesc& desc, const char* function) {
    DType expected = desc.in(0).dtype;
    for (const char* predicate : kPredicates)
        if (std::strcmp(predicate, function) == 0) expected = DType::boolean;
    if (desc.out(0).dtype == expected) return {};
    return invalid("%s: %s gives %s, but the output is %s", desc.op.c_str(), function,
                   name_of(expected), name_of(desc.out(0).dtype));
}

}  // namespace

// unary(x) -> y; attribute function.
Status bind_unary(const OpDesc& desc, BoundOp* bound) {
    Status status = check_arity(desc, 1);
    if (!status.ok) return status;
    const std::string function = desc.attributes.text("function", "");
    if (const MapFunction* step = as_program(desc, function.c_str(), 1))
        return bind_one_step(desc, *step, bound);
    const auto find =
        reinterpret_cast<FindUnary*>(select_elementwise("unary", desc.allowed, &bound->kernel));
    UnaryLoop* loop = find(function.c_str(), desc.in(0).dtype);
    if (!loop)
        return invalid("unary: no function \"%s\" of %s", function.c_str(),
                       name_of(desc.in(0).dtype));
    status = check_result(desc, function.c_str());
    return status.ok ? bind_typed(desc, loop, bound) : status;
}

// binary(a, b) -> y; attribute function.
Status bind_binary(const OpDesc& desc, BoundOp* bound) {
    Status status = check_arity(desc, 2);
    if (!status.ok) return status;
    const std::string function = desc.attributes.text("function", "");
    if (desc.in(0).dtype != desc.in(1).dtype)
        return invalid("binary: operands are %s and %s; cast one of them",
                       name_of(desc.in(0).dtype), name_of(desc.in(1).dtype));
    if (const MapFunction* step = as_program(desc, function.c_str(), 2))
        return bind_one_step(desc, *step, bound);
    const auto find =
        reinterpret_cast<FindBinary*>(select_elementwise("binary", desc.allowed, &bound->kernel));
    BinaryLoop* loop = find(function.c_str(), desc.in(0).dtype);
    if (!loop)
        return invalid("binary: no function \"%s\" of %s", function.c_str(),
                       name_of(desc.in(0).dtype));
    status = check_result(desc, function.c_str());
    return status.ok ? bind_typed(desc, loop, bound) : status;
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
