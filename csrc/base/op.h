#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/isa.h"
#include "base/status.h"
#include "base/tensor.h"
#include "base/worker.h"

// The seam between the runtime and the kernel families. A family offers one bind function per
// operator; binding validates, picks a kernel for the allowed ISA and returns a BoundOp. Nothing is
// looked up, validated or allocated when the BoundOp runs.
namespace hades {

struct Attribute {
    std::string name;
    std::vector<int64_t> ints;
    std::vector<double> floats;
    std::string text;
};

struct Attributes {
    std::vector<Attribute> items;

    const Attribute* find(const char* name) const;
    int64_t integer(const char* name, int64_t fallback) const;
    double real(const char* name, double fallback) const;
    std::string text(const char* name, const char* fallback) const;
    std::vector<int64_t> integers(const char* name, std::vector<int64_t> fallback = {}) const;
    std::vector<double> reals(const char* name, std::vector<double> fallback = {}) const;
};

struct Operand {
    Tensor tensor;
    bool present = true;             // false for an omitted optional input
    const void* constant = nullptr;  // the data, where it is known when binding
};

struct OpDesc {
    std::string op;
    std::vector<Operand> inputs;
    std::vector<Operand> outputs;
    Attributes attributes;
    IsaMask allowed = 0;

    bool has(size_t input) const { return input < inputs.size() && inputs[input].present; }
    const Tensor& in(size_t i) const { return inputs[i].tensor; }
    const Tensor& out(size_t i) const { return outputs[i].tensor; }
};

// A constant input that the kernel wants in a layout of its own. `layout` names layout and
// parameters: two requests with the same source and the same layout share one packed copy. When the
// op runs, the operand points to the packed copy.
struct PackRequest {
    int input;
    std::string layout;
    size_t bytes;
    void (*pack)(const void* params, const void* source, void* packed);
};

// operands: data pointers of all inputs (nullptr where omitted), then of all outputs.
using RunFn = void (*)(const void* params, void* const* operands, Worker& worker);

// Of an operator whose result has no elements.
void run_nothing(const void* params, void* const* operands, Worker& worker);

// What a call needs, not what its kernel spends: floating-point operations (a multiply-add is two)
// and bytes of memory, each byte once.
struct Cost {
    double flops = 0;
    double bytes = 0;
};

// The cost of one call, from operands that say how much there is to do. Called by traces only,
// between the call and the next one; reads nothing that the call itself writes.
using CostFn = Cost (*)(const void* params, void* const* operands);

struct BoundOp {
    RunFn run = nullptr;
    std::shared_ptr<void> params;  // POD of the family, passed to run
    const char* kernel = "";       // the registry name of the kernel chosen
    size_t worker_scratch_bytes = 0;
    size_t shared_scratch_bytes = 0;
    std::vector<PackRequest> packs;
    double flops = 0;  // of every call, or of the largest where there is a cost function
    double bytes = 0;
    CostFn cost = nullptr;
};

inline void state_cost(BoundOp* bound, const Cost& cost) {
    bound->flops = cost.flops;
    bound->bytes = cost.bytes;
}

inline Cost cost_of(const BoundOp& bound, void* const* operands) {
    if (!bound.cost) return {bound.flops, bound.bytes};
    return bound.cost(bound.params.get(), operands);
}

using BindFn = Status (*)(const OpDesc& desc, BoundOp* bound);

struct OpEntry {
    const char* op;
    BindFn bind;
};

}  // namespace hades
