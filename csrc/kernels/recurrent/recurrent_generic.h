#pragma once
// One vector of hidden units at a time: the products of the state with the weights of its gates are
// summed in registers, for a few rows of the batch at once, and become the new state there.
//
// Registers           rows x gates sums, one weight, one broadcast: 4 x 4 with AVX-512, 2 x 4 else
// Numerics            one fused multiply-add per hidden unit, in order; then x, as a sum from zero
#include "kernels/recurrent/recurrent.h"
#include "simd/math.h"

namespace hades::HADES_ISA {

constexpr int kBatchRows = kRegisters >= 32 ? 4 : 2;

HADES_INLINE F32 apply(const RecurrentFunction& f, F32 x) {
    const F32 alpha = set1(f.alpha), beta = set1(f.beta);
    switch (f.kind) {
        case RecurrentActivation::sigmoid:
            return sigmoid(x);
        case RecurrentActivation::tanh:
            return tanh(x);
        case RecurrentActivation::relu:
            return relu(x);
        case RecurrentActivation::affine:
            return fma(alpha, x, beta);
        case RecurrentActivation::leaky_relu:
            return leaky_relu(x, alpha);
        case RecurrentActivation::thresholded_relu:
            return select(less(alpha, x), x, zero());
        case RecurrentActivation::scaled_tanh:
            return alpha * tanh(beta * x);
        case RecurrentActivation::hard_sigmoid:
            return hard_sigmoid(x, alpha, beta);
        case RecurrentActivation::elu:
            return elu(x, alpha);
        case RecurrentActivation::softsign:
            return softsign(x);
        case RecurrentActivation::softplus:
            return softplus(x);
    }
    return x;
}

// Out of line: one copy of every activation.
static __attribute__((noinline)) F32 activate(const RecurrentShape& s, int which, F32 x) {
    const F32 bound = set1(s.clip);
    return apply(s.functions[which], min(max(x, negate(bound)), bound));
}

// sums[r][g] = h[r] times the weights of gate first + g.
template <int MR, int G>
HADES_INLINE void multiply_gates(const float* h, int64_t h_row, const float* w, int64_t gates,
                                 int64_t hidden, F32 (&sums)[MR][G]) {
    for (int r = 0; r < MR; ++r)
        for (int g = 0; g < G; ++g) sums[r][g] = zero();
    for (int64_t k = 0; k < hidden; ++k, w += gates * kLanes) {
        F32 weights[G];
#pragma GCC unroll 4
        for (int g = 0; g < G; ++g) weights[g] = load(w + g * kLanes);
#pragma GCC unroll 4
        for (int r = 0; r < MR; ++r) {
            const F32 value = set1(h[r * h_row + k]);
#pragma GCC unroll 4
            for (int g = 0; g < G; ++g) sums[r][g] = fma(value, weights[g], sums[r][g]);
        }
    }
}

// One row of the batch at its own step: rows of different lengths run backwards from different
// ends.
struct Row {
    bool active;
    const float* x;  // of the block's first gate
    float* y;
    int64_t state;  // where the block begins in states
    int64_t column;
    int lanes;
};

HADES_INLINE Row row_of(const RecurrentBlockArgs& a, int64_t row) {
    const RecurrentShape& s = *a.shape;
    const int64_t stated = a.lengths ? a.lengths[row] : s.steps;
    const int64_t length = stated < s.steps ? stated : s.steps;  // negative: never active
    Row r;
    r.active = a.step < length;
    const int64_t time = r.active && s.reverse ? length - 1 - a.step : a.step;
    r.column = a.block * kLanes;
    r.x = a.x + time * s.x_step + row * s.x_row + r.column;
    r.y = a.y + time * s.y_step + row * s.y_row + r.column;
    r.state = row * s.padded + r.column;
    r.lanes = s.hidden - r.column < kLanes ? static_cast<int>(s.hidden - r.column) : kLanes;
    return r;
}

HADES_INLINE F32 input_of(const RecurrentBlockArgs& a, const Row& r, int gate) {
    return load_n(r.x + gate * a.shape->hidden, r.lanes);
}

HADES_INLINE F32 peephole(const RecurrentBlockArgs& a, const Row& r, int gate, F32 c) {
    if (!a.peepholes) return zero();
    return load_n(a.peepholes + gate * a.shape->hidden + r.column, r.lanes) * c;
}

HADES_INLINE F32 step_lstm(const RecurrentBlockArgs& a, const Row& r, const F32 (&sums)[4]) {
    const RecurrentShape& s = *a.shape;
    const F32 before = load(a.c + r.state);
    const F32 in = activate(s, 0, input_of(a, r, 0) + sums[0] + peephole(a, r, 0, before));
    const F32 forget =
        s.input_forget ? set1(1.0f) - in
                       : activate(s, 0, input_of(a, r, 2) + sums[2] + peephole(a, r, 2, before));
    const F32 candidate = activate(s, 1, input_of(a, r, 3) + sums[3]);
    const F32 c = fma(forget, before, in * candidate);
    const F32 out = activate(s, 0, input_of(a, r, 1) + sums[1] + peephole(a, r, 1, c));
    store(a.c + r.state, c);
    return out * apply(s.functions[2], c);
}

HADES_INLINE F32 blend(F32 update, F32 candidate, F32 before) {
    return fma(update, before, (set1(1.0f) - update) * candidate);
}

HADES_INLINE F32 candidate_bias(const RecurrentBlockArgs& a, const Row& r) {
    return a.bias ? load_n(a.bias + r.column, r.lanes) : zero();
}

HADES_INLINE F32 step_gru(const RecurrentBlockArgs& a, const Row& r, const F32 (&sums)[3]) {
    const RecurrentShape& s = *a.shape;
    const F32 update = activate(s, 0, input_of(a, r, 0) + sums[0]);
    const F32 reset = activate(s, 0, input_of(a, r, 1) + sums[1]);
    const F32 seen = reset * (sums[2] + candidate_bias(a, r));
    return blend(update, activate(s, 1, input_of(a, r, 2) + seen), load(a.h + r.state));
}

HADES_INLINE void store_state(const RecurrentBlockArgs& a, const Row& r, F32 h) {
    store(a.next + r.state, h);
    store_n(r.y, h, r.lanes);
}

// Past its end a row keeps its state, and gives zeros.
HADES_INLINE void rest(const RecurrentBlockArgs& a, const Row& r) {
    store(a.next + r.state, load(a.h + r.state));
    store_n(r.y, zero(), r.lanes);
}

template <int MR>
static void run_rows(const RecurrentBlockArgs& a, int64_t first) {
    const RecurrentShape& s = *a.shape;
    const bool resets_first = s.cell == RecurrentCell::gru && !s.linear_before_reset;
    const float* h = (a.phase == 1 ? a.reset : a.h) + first * s.padded;
    const auto for_rows = [&](auto& sums, auto&& step) __attribute__((always_inline)) {
        for (int i = 0; i < MR; ++i) {
            const Row r = row_of(a, first + i);
            if (r.active)
                step(r, sums[i]);
            else
                rest(a, r);
        }
    };
    if (s.cell == RecurrentCell::lstm) {
        F32 sums[MR][4];
        multiply_gates(h, s.padded, a.w, s.gates, s.hidden, sums);
        for_rows(sums,
                 [&](const Row& r, F32(&gates)[4]) { store_state(a, r, step_lstm(a, r, gates)); });
    } else if (s.cell == RecurrentCell::rnn) {
        F32 sums[MR][1];
        multiply_gates(h, s.padded, a.w, s.gates, s.hidden, sums);
        for_rows(sums, [&](const Row& r, F32(&gates)[1]) {
            store_state(a, r, activate(s, 0, input_of(a, r, 0) + gates[0]));
        });
    } else if (!resets_first) {
        F32 sums[MR][3];
        multiply_gates(h, s.padded, a.w, s.gates, s.hidden, sums);
        for_rows(sums,
                 [&](const Row& r, F32(&gates)[3]) { store_state(a, r, step_gru(a, r, gates)); });
    } else if (a.phase == 0) {
        F32 sums[MR][2];
        multiply_gates(h, s.padded, a.w, s.gates, s.hidden, sums);
        for_rows(sums, [&](const Row& r, F32(&gates)[2]) {
            const F32 reset = activate(s, 0, input_of(a, r, 1) + gates[1]);
            store(a.update + r.state, activate(s, 0, input_of(a, r, 0) + gates[0]));
            store(a.reset + r.state, reset * load(a.h + r.state));
        });
    } else {
        F32 sums[MR][1];
        multiply_gates(h, s.padded, a.w + 2 * kLanes, s.gates, s.hidden, sums);
        for_rows(sums, [&](const Row& r, F32(&gates)[1]) {
            const F32 seen = gates[0] + candidate_bias(a, r);
            const F32 candidate = activate(s, 1, input_of(a, r, 2) + seen);
            store_state(a, r, blend(load(a.update + r.state), candidate, load(a.h + r.state)));
        });
    }
}

static void run_recurrent(const RecurrentBlockArgs& a) {
    int64_t row = 0;
    for (; row + kBatchRows <= a.shape->batch; row += kBatchRows) run_rows<kBatchRows>(a, row);
    for (; row < a.shape->batch; ++row) run_rows<1>(a, row);
}

RecurrentKernel recurrent_f32() { return {kLanes, run_recurrent}; }

}  // namespace hades::HADES_ISA
