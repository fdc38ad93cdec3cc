#include "kernels/recurrent/recurrent.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "base/operand_shapes.h"
#include "base/rounding.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/recurrent/recurrent.inc"
#undef HADES_KERNEL
};

// Operand order; the outputs y, h and (lstm) c follow.
enum Input { kX, kW, kBias, kPeepholes, kH, kC, kLengths, kInputs };

struct RecurrentParams {
    RecurrentKernel kernel;
    RecurrentShape shape;
    bool packs_per_run;

    int64_t blocks() const { return shape.padded / kernel.lanes; }
    int64_t packed() const { return shape.padded * shape.gates * shape.hidden; }
    int64_t state() const { return shape.batch * shape.padded; }
    void pack_block(int64_t block, const float* w, float* packed) const;
};

// From w [gates * hidden, hidden]: [hidden][gates][lanes], lanes beyond the last unit being zero.
void RecurrentParams::pack_block(int64_t block, const float* w, float* packed) const {
    const int64_t lanes = kernel.lanes, hidden = shape.hidden;
    packed += block * hidden * shape.gates * lanes;
    for (int64_t k = 0; k < hidden; ++k)
        for (int64_t gate = 0; gate < shape.gates; ++gate)
            for (int64_t lane = 0; lane < lanes; ++lane) {
                const int64_t unit = block * lanes + lane;
                *packed++ = unit < hidden ? w[(gate * hidden + unit) * hidden + k] : 0.0f;
            }
}

void pack_weights(const void* params, const void* source, void* packed) {
    const auto& recurrent = *static_cast<const RecurrentParams*>(params);
    for (int64_t block = 0; block < recurrent.blocks(); ++block)
        recurrent.pack_block(block, static_cast<const float*>(source), static_cast<float*>(packed));
}

// What workers share: states, then weights that are packed per run.
struct Shared {
    float *h[2], *c, *update, *reset, *packed;
};

Shared shared_of(const RecurrentParams& params, void* memory) {
    Shared shared;
    auto* next = static_cast<float*>(memory);
    for (float** state : {&shared.h[0], &shared.h[1], &shared.c, &shared.update, &shared.reset}) {
        *state = next;
        next += params.state();
    }
    shared.packed = next;
    return shared;
}

void load_state(const RecurrentShape& s, const float* initial, int64_t row, float* state) {
    state += row * s.padded;
    std::fill_n(state, s.padded, 0.0f);
    if (initial) std::copy_n(initial + row * s.hidden, s.hidden, state);
}

// States of all rows, and weights, before the first step.
void prepare(const RecurrentParams& params, void* const* operands, const Shared& shared,
             Worker& worker) {
    const RecurrentShape& s = params.shape;
    const int64_t blocks = params.packs_per_run ? params.blocks() : 0;
    parallel_for(worker, s.batch + blocks, [&](int64_t i) {
        if (i >= s.batch) {
            params.pack_block(i - s.batch, static_cast<const float*>(operands[kW]), shared.packed);
            return;
        }
        load_state(s, static_cast<const float*>(operands[kH]), i, shared.h[0]);
        load_state(s, static_cast<const float*>(operands[kC]), i, shared.c);
        for (float* state : {shared.update, shared.reset}) load_state(s, nullptr, i, state);
    });
    sync(worker);
}

void run_recurrent(const void* params, void* const* operands, Worker& worker) {
    const auto& recurrent = *static_cast<const RecurrentParams*>(params);
    const RecurrentShape& s = recurrent.shape;
    const Shared shared = shared_of(recurrent, worker.shared);
    prepare(recurrent, operands, shared, worker);
    const bool resets_first = s.cell == RecurrentCell::gru && !s.linear_before_reset;
    RecurrentBlockArgs args;
    args.shape = &s;
    args.x = static_cast<const float*>(operands[kX]);
    const float* weights =
        recurrent.packs_per_run ? shared.packed : static_cast<const float*>(operands[kW]);
    args.bias = static_cast<const float*>(operands[kBias]);
    args.peepholes = static_cast<const float*>(operands[kPeepholes]);
    args.lengths = static_cast<const int32_t*>(operands[kLengths]);
    args.c = shared.c, args.update = shared.update, args.reset = shared.reset;
    args.y = static_cast<float*>(operands[kInputs]);
    for (args.step = 0; args.step < s.steps; ++args.step) {
        args.h = shared.h[args.step % 2];
        args.next = shared.h[(args.step + 1) % 2];
        for (args.phase = 0; args.phase < 1 + resets_first; ++args.phase) {
            parallel_for(worker, recurrent.blocks(), [&](int64_t block) {
                RecurrentBlockArgs one = args;
                one.block = block;
                one.w = weights + block * s.hidden * s.gates * recurrent.kernel.lanes;
                recurrent.kernel.run(one);
            });
            sync(worker);
        }
    }
    parallel_for(worker, s.batch, [&](int64_t row) {
        const float* last = shared.h[s.steps % 2] + row * s.padded;
        std::copy_n(last, s.hidden, static_cast<float*>(operands[kInputs + 1]) + row * s.hidden);
        if (s.cell == RecurrentCell::lstm)
            std::copy_n(shared.c + row * s.padded, s.hidden,
                        static_cast<float*>(operands[kInputs + 2]) + row * s.hidden);
    });
}

Status read_function(const OpDesc& desc, size_t which, RecurrentFunction* function) {
    static const char* const kNames[] = {
        "sigmoid",     "tanh",         "relu", "affine",   "leaky_relu", "thresholded_relu",
        "scaled_tanh", "hard_sigmoid", "elu",  "softsign", "softplus"};
    static const char* const kAttributes[] = {"f", "g", "h"};
    const std::string name = desc.attributes.text(kAttributes[which], "tanh");
    const auto alphas = desc.attributes.reals("alphas", {0, 0, 0});
    const auto betas = desc.attributes.reals("betas", {0, 0, 0});
    if (alphas.size() != 3 || betas.size() != 3)
        return invalid("recurrent: alphas and betas need three entries");
    for (size_t i = 0; i < sizeof kNames / sizeof *kNames; ++i)
        if (name == kNames[i]) {
            *function = {static_cast<RecurrentActivation>(i), static_cast<float>(alphas[which]),
                         static_cast<float>(betas[which])};
            return {};
        }
    return invalid("recurrent: activation \"%s\" is unknown", name.c_str());
}

Status read_attributes(const OpDesc& desc, RecurrentShape* s) {
    const std::string cell = desc.attributes.text("cell", "");
    if (cell != "lstm" && cell != "gru" && cell != "rnn")
        return invalid("recurrent: cell \"%s\" is none of lstm, gru, rnn", cell.c_str());
    s->cell = cell == "lstm"  ? RecurrentCell::lstm
              : cell == "gru" ? RecurrentCell::gru
                              : RecurrentCell::rnn;
    s->gates = cell == "lstm" ? 4 : cell == "gru" ? 3 : 1;
    s->reverse = desc.attributes.integer("reverse", 0) != 0;
    s->linear_before_reset = desc.attributes.integer("linear_before_reset", 0) != 0;
    s->input_forget = desc.attributes.integer("input_forget", 0) != 0;
    s->clip = static_cast<float>(desc.attributes.real("clip", HUGE_VAL));
    if (!(s->clip > 0)) return invalid("recurrent: clip must be positive");
    for (size_t i = 0; i < 3; ++i)
        if (Status status = read_function(desc, i, &s->functions[i]); !status.ok) return status;
    return {};
}

bool is_state(const Tensor& t, const RecurrentShape& s) {
    return t.dtype == DType::f32 && t.rank == 2 && t.shape[0] == s.batch &&
           t.shape[1] == s.hidden && is_contiguous(t);
}

Status check_operands(const OpDesc& desc, const RecurrentShape& s) {
    const size_t outputs = s.cell == RecurrentCell::lstm ? 3 : 2;
    if (desc.outputs.size() != outputs)
        return invalid("recurrent: a cell of this kind has %d outputs", static_cast<int>(outputs));
    const Tensor &w = desc.in(kW), &y = desc.out(0);
    if (w.dtype != DType::f32 || w.rank != 2 || w.shape[0] != s.gates * s.hidden ||
        w.shape[1] != s.hidden || !is_contiguous(w))
        return invalid("recurrent: w must be contiguous [gates * hidden, hidden]");
    if (y.dtype != DType::f32 || y.rank != 3 || y.shape[0] != s.steps || y.shape[1] != s.batch ||
        y.shape[2] != s.hidden || (s.hidden > 1 && y.strides[2] != 1))
        return invalid("recurrent: y must be [steps, batch, hidden], hidden contiguous");
    const auto vector = [&](size_t input, int64_t count) {
        return !desc.has(input) ||
               (is_vector(desc.in(input), DType::f32) && desc.in(input).shape[0] == count);
    };
    if (!vector(kBias, s.hidden)) return invalid("recurrent: bias must be contiguous [hidden]");
    if (!vector(kPeepholes, 3 * s.hidden))
        return invalid("recurrent: peepholes must be contiguous [3 * hidden]");
    for (const size_t input : {size_t{kH}, size_t{kC}})
        if (desc.has(input) && !is_state(desc.in(input), s))
            return invalid("recurrent: states must be contiguous [batch, hidden]");
    for (size_t output = 1; output < outputs; ++output)
        if (!is_state(desc.out(output), s))
            return invalid("recurrent: states must be contiguous [batch, hidden]");
    if (desc.has(kLengths) &&
        (!is_vector(desc.in(kLengths), DType::i32) || desc.in(kLengths).shape[0] != s.batch))
        return invalid("recurrent: lengths must be contiguous int32 [batch]");
    return {};
}

// recurrent(x, w, bias?, peepholes?, h?, c?, lengths?) -> y, h, c (lstm).
Status bind_recurrent(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != kInputs || desc.outputs.empty() || !desc.has(kX) || !desc.has(kW))
        return invalid("recurrent takes x, w, bias, peepholes, h, c, lengths");
    auto params = std::make_shared<RecurrentParams>();
    RecurrentShape& s = params->shape;
    s = {};
    if (Status status = read_attributes(desc, &s); !status.ok) return status;
    const Tensor& x = desc.in(kX);
    if (x.dtype != DType::f32 || x.rank != 3 || x.shape[2] % s.gates != 0 ||
        (x.shape[2] > 1 && x.strides[2] != 1))
        return invalid("recurrent: x must be [steps, batch, gates * hidden], the last contiguous");
    s.steps = x.shape[0], s.batch = x.shape[1], s.hidden = x.shape[2] / s.gates;
    if (Status status = check_operands(desc, s); !status.ok) return status;
    if (s.batch == 0 || s.hidden == 0) {
        bound->run = run_nothing;
        return {};
    }
    const Tensor& y = desc.out(0);
    s.x_step = x.strides[0], s.x_row = x.strides[1];
    s.y_step = y.strides[0], s.y_row = y.strides[1];
    params->kernel =
        select<RecurrentProvider>(kKernels, "recurrent_f32", desc.allowed, &bound->kernel)();
    s.padded = round_up(s.hidden, params->kernel.lanes);
    params->packs_per_run = desc.inputs[kW].constant == nullptr;
    int64_t shared = 5 * params->state();
    if (params->packs_per_run) {
        shared += params->packed();
    } else {
        std::string layout = "recurrent_f32";
        for (const int64_t number : {s.gates, s.hidden, int64_t{params->kernel.lanes}})
            layout += " " + std::to_string(number);
        const auto bytes = static_cast<size_t>(params->packed()) * sizeof(float);
        bound->packs.push_back({kW, layout, bytes, pack_weights});
    }
    bound->shared_scratch_bytes = static_cast<size_t>(shared) * sizeof(float);
    bound->run = run_recurrent;
    bound->params = params;
    const double weights = static_cast<double>(s.gates * s.hidden) * static_cast<double>(s.hidden);
    bound->flops = 2.0 * static_cast<double>(s.steps * s.batch) * weights;
    bound->bytes = 4.0 * (weights + static_cast<double>(element_count(x) + element_count(y)));
    return {};
}

const OpEntry kOps[] = {{"recurrent", bind_recurrent}};

}  // namespace

Family recurrent_family() { return make_family("recurrent", kOps, kKernels); }

}  // namespace hades
