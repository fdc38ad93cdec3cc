#pragma once
#include <cstdint>

// Recurrent cells over a sequence, one direction. Sizes and strides count elements.
namespace hades {

constexpr int kRecurrentGates = 4;

enum class RecurrentCell : int32_t { lstm, gru, rnn };

enum class RecurrentActivation : int32_t {
    sigmoid,
    tanh,
    relu,
    affine,
    leaky_relu,
    thresholded_relu,
    scaled_tanh,
    hard_sigmoid,
    elu,
    softsign,
    softplus,
};

struct RecurrentFunction {
    RecurrentActivation kind;
    float alpha, beta;
};

struct RecurrentShape {
    RecurrentCell cell;
    int64_t steps, batch, hidden;
    int64_t gates;   // lstm: i o f c; gru: z r h; rnn: one
    int64_t padded;  // hidden in whole vectors, between rows of a state
    int64_t x_step, x_row, y_step, y_row;
    bool reverse, linear_before_reset, input_forget;
    float clip;                      // bounds what activations see; infinite for none
    RecurrentFunction functions[3];  // of gates, of candidates, of the cell's state
};

// One step of one vector of hidden units, for all rows of the batch; a gru whose reset comes before
// the product takes two phases.
struct RecurrentBlockArgs {
    const RecurrentShape* shape;
    int64_t step, block;
    int phase;
    const float* x;          // what the inputs add to the gates [steps, batch, gates * hidden]
    const float* w;          // of the block: [hidden][gates][lanes]
    const float* bias;       // of the recurrent candidate of a gru [hidden], or nullptr
    const float* peepholes;  // of an lstm [3 * hidden], or nullptr
    const int32_t* lengths;  // [batch], or nullptr
    const float* h;          // states are [batch, padded]
    float* next;             //
    float* c;                // lstm
    float* update;           // gru, two phases: gate z
    float* reset;            // gru, two phases: r * h
    float* y;                // [steps, batch, hidden]
};

struct RecurrentKernel {
    int32_t lanes;
    void (*run)(const RecurrentBlockArgs&);
};

using RecurrentProvider = RecurrentKernel();

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/recurrent/recurrent.inc"
#undef HADES_KERNEL

}  // namespace hades
