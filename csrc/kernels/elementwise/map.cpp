#include <utility>

#include "base/epilogue_attributes.h"
#include "kernels/elementwise/bind.h"

// Binding of pointwise programs: validation of `code`, splatting of constants, partition.
namespace hades {
namespace {

constexpr int64_t kChunk = 16384;  // elements: 64 KiB hide the claim, and balance

struct MapParams {
    Map* kernel;
    MapProgram program;
    LoopNest nest;
    int input_count;
    uint32_t bytes;
};

void run_map(const void* params, void* const* operands, Worker& worker) {
    const auto& map = *static_cast<const MapParams*>(params);
    MapArgs args = {};
    args.nest = &map.nest;
    args.steps = map.program.steps.data();
    args.step_count = static_cast<int32_t>(map.program.steps.size());
    args.input_count = map.input_count;
    args.constants = map.program.constants.data();
    args.inputs = operands;
    args.output = operands[map.input_count];
    args.bytes = map.bytes;
    args.grids = map.program.grids.data();
    args.scratch = static_cast<float*>(worker.scratch);
    parallel_for(worker, (map.nest.count + kChunk - 1) / kChunk, [&](int64_t chunk) {
        MapArgs part = args;
        part.begin = chunk * kChunk;
        part.end = part.begin + kChunk < map.nest.count ? part.begin + kChunk : map.nest.count;
        map.kernel(part);
    });
}

// Whether `source` is a constant, an input, or a temporary that an earlier step has written.
bool readable(const bool* written, int64_t source, int64_t constants) {
    return source < 0 ? -1 - source < constants : source < kMapMaxRegisters && written[source];
}

Status parse_program(const OpDesc& desc, MapProgram* program) {
    const std::vector<int64_t> code = desc.attributes.integers("code");
    const std::vector<double> constants = desc.attributes.reals("constants");
    const auto inputs = static_cast<int64_t>(desc.inputs.size());
    const auto constant_count = static_cast<int64_t>(constants.size());
    if (code.empty() || code.size() % 5 != 0 || code.size() > 5 * kMapMaxSteps)
        return invalid("map: code has %zu integers, expected 1 to %d steps of five", code.size(),
                       kMapMaxSteps);
    bool written[kMapMaxRegisters] = {};
    for (int64_t i = 0; i < inputs; ++i) written[i] = true;
    for (size_t i = 0; i < code.size(); i += 5) {
        const ElementFunction* function = find_function(static_cast<int>(code[i]));
        const int64_t destination = code[i + 1];
        if (!function || !function->in_programs)
            return invalid("map: no function has the number %ld", long(code[i]));
        if (destination < inputs || destination >= kMapMaxRegisters)
            return invalid("map: destination %ld is not a temporary (%ld to %d)", long(destination),
                           long(inputs), kMapMaxRegisters - 1);
        MapStep step = {function->number, static_cast<int32_t>(destination), 0, 0, 0};
        int32_t* sources[] = {&step.a, &step.b, &step.c};
        for (int k = 0; k < function->operands; ++k) {
            if (!readable(written, code[i + 2 + k], constant_count))
                return invalid("map: %s reads register %ld, which holds nothing", function->name,
                               long(code[i + 2 + k]));
            *sources[k] = static_cast<int32_t>(code[i + 2 + k]);
        }
        // Sources beyond the operands are resolved too, so let them name something that exists.
        for (int k = function->operands; k < 3; ++k) *sources[k] = step.a;
        written[destination] = true;
        program->steps.push_back(step);
    }
    const std::vector<double> grids = desc.attributes.reals("grids");
    if (!grids.empty() && grids.size() != 2 * desc.inputs.size() + 2)
        return invalid("map: grids needs a scale and a zero point for every operand");
    for (size_t i = 0; i < grids.size(); i += 2) {
        program->grids.push_back({static_cast<float>(grids[i]), static_cast<float>(grids[i + 1])});
        if (!(program->grids.back().scale > 0.0f) || grids[i + 1] < 0 || grids[i + 1] > 255)
            return invalid("map: scales must be positive and zero points from 0 to 255");
    }
    for (double value : constants)
        program->constants.insert(program->constants.end(), kSplat, static_cast<float>(value));
    return {};
}

}  // namespace

Status bind_program(const OpDesc& desc, MapProgram program, BoundOp* bound) {
    const Tensor* tensors[kMapMaxInputs + 1];
    int count = 0;
    uint32_t bytes = 0;
    for (const Operand& operand : desc.inputs) tensors[count++] = &operand.tensor;
    tensors[count++] = &desc.out(0);
    for (int i = 0; i < count; ++i) {
        const bool is_bytes = tensors[i]->dtype == DType::u8;
        if (tensors[i]->dtype != DType::f32 && !(is_bytes && desc.op == "map"))
            return invalid("%s: operand %d is %s, expected float32", desc.op.c_str(), i,
                           name_of(tensors[i]->dtype));
        if (is_bytes) bytes |= uint32_t{1} << i;
        if (!same_shape(*tensors[i], desc.out(0)))
            return invalid("%s: operand %d does not have the output's shape", desc.op.c_str(), i);
    }
    auto params = std::make_shared<MapParams>();
    params->kernel =
        reinterpret_cast<Map*>(select_elementwise("map_f32", desc.allowed, &bound->kernel));
    params->program = std::move(program);
    params->nest = make_loop_nest(tensors, count);
    params->input_count = count - 1;
    params->bytes = bytes;
    params->program.grids.resize(static_cast<size_t>(count), {1.0f, 0.0f});
    int registers = count - 1;
    for (const MapStep& step : params->program.steps)
        if (step.destination >= registers) registers = step.destination + 1;
    for (int i = 0; i < count; ++i) bound->bytes += touched_bytes(*tensors[i]);
    bound->run = run_map;
    bound->worker_scratch_bytes = sizeof(float) * kMapBlock * static_cast<size_t>(registers);
    bound->flops =
        static_cast<double>(params->nest.count) * static_cast<double>(params->program.steps.size());
    bound->params = params;
    return {};
}

// map(x... ) -> y, float32 or bytes and of one shape; attributes code, constants, grids.
Status bind_map(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.empty() || desc.inputs.size() > kMapMaxInputs || desc.outputs.size() != 1)
        return invalid("map takes 1 to %d inputs and gives one output", kMapMaxInputs);
    for (const Operand& input : desc.inputs)
        if (!input.present) return invalid("map: no input may be omitted");
    MapProgram program;
    const Status status = parse_program(desc, &program);
    return status.ok ? bind_program(desc, std::move(program), bound) : status;
}

// scale_shift(x [n, c, s], scale [c], shift [c]) -> y; attribute activation. It is the program
// activation(x * scale + shift) with vectors that repeat along n and s.
Status bind_scale_shift(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 3 || desc.outputs.size() != 1 || !desc.has(1) || !desc.has(2))
        return invalid("scale_shift takes x, scale, shift and gives y");
    const Tensor& x = desc.in(0);
    if (x.rank != 3) return invalid("scale_shift: x must be [n, c, s], has rank %d", int(x.rank));
    OpDesc program_desc = desc;
    for (int i = 1; i < 3; ++i) {
        const Tensor& vector = desc.in(i);
        if (vector.rank != 1 || vector.shape[0] != x.shape[1])
            return invalid("scale_shift: operand %d must have one element per channel", i);
        Tensor repeated = x;
        repeated.dtype = vector.dtype;
        repeated.strides[0] = repeated.strides[2] = 0;
        repeated.strides[1] = vector.strides[0];
        program_desc.inputs[i].tensor = repeated;
    }
    ActivationParams activation;
    const Status status = read_activation(desc, "activation", &activation);
    if (!status.ok) return status;
    constexpr int32_t kTemporary = 3;
    MapProgram program;
    program.steps.push_back({find_function("fma")->number, kTemporary, 0, 1, 2});
    if (activation.kind != Activation::none) {
        // The activations are functions of the same names, with alpha and beta after x.
        const std::string name = desc.attributes.text("activation", "none");
        program.steps.push_back(
            {find_function(name.c_str())->number, kTemporary, kTemporary, -1, -2});
        program.constants.insert(program.constants.end(), kSplat, activation.alpha);
        program.constants.insert(program.constants.end(), kSplat, activation.beta);
    }
    return bind_program(program_desc, std::move(program), bound);
}

}  // namespace hades
