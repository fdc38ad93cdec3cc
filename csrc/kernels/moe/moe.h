#pragma once
#include <cstdint>

#include "formats/weight_format.h"

// A mixture of experts: each token's rows go through the networks of a few experts, whose results
// are added with weights. The matrix products are those of qgemm; these kernels stand between them.
namespace hades {

// What a gate does to its up; an architecture with another one adds a value here, its name in
// moe.cpp and its formula in moe_generic.h.
enum class Gated {
    clamped_swiglu,  // gate' = min(gate, limit);  up' = clip(up, -limit, limit)
                     // out = (up' + 1) * gate' * sigmoid(alpha * gate')
    swiglu,          // out = up * gate * sigmoid(gate)
    count,
};

// The gated activation on 32 columns. A packed gate_up matrix has 16 rows of gates and then their
// 16 rows of ups, so that 64 of its rows make 32 columns.
struct GateArgs {
    const float* acc;   // [m][64]: 16 gates and 16 ups, twice
    const float* bias;  // [64], in the same order; not read by kernels without biases
    int64_t m;
    float alpha, limit;
    // Where the columns of row i go: into q8 rows, or as float32, from `column` on.
    uint8_t* q8;
    float* f32;
    int64_t row_bytes, k, column;
};

using Gate = void(const GateArgs&);

// y = residual + sum over a token's experts of weight * row, in the order of the experts.
struct CombineArgs {
    const float* rows;     // row p is rows + p * n
    const int32_t* pairs;  // [k], which rows are the token's
    const float* weights;  // [k]
    const float* residual;
    float* y;
    int64_t k, n;
};

using Combine = void(const CombineArgs&);

struct MoeSteps {
    Gate* gate[static_cast<int>(Gated::count)][2];  // by activation; without and with a bias
    Combine* combine;
};

using MoeProvider = MoeSteps();

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/moe/moe.inc"
#undef HADES_KERNEL

}  // namespace hades
