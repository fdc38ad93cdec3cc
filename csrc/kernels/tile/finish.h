#pragma once
#include "kernels/tile/args.h"
#include "simd/epilogue.h"

// What happens to finished accumulators:
//
//   y = after(activation(alpha * sum + bias) + residual)
//
// The frequent and cheap cases stay in registers; the others pass through a tile in the first-level
// cache, so that 28 vectors do not become 28 copies of erf.
//
// Operands            sums: rows of accumulators; y and residual: columns contiguous, rows anywhere
// Numerics            alpha * sum + bias is one fused multiply-add, exact where alpha is 1; the
//                     activations are those of simd/epilogue.h
namespace hades::HADES_ISA {

HADES_INLINE bool finishes_in_registers(const Finish& f) {
    const Activation kind = f.epilogue.activation.kind;
    return (kind == Activation::none || kind == Activation::relu) &&
           f.epilogue.after.kind == Activation::none;
}

// max(lower_bound_of(f), x) is the activation of those cases.
HADES_INLINE F32 lower_bound_of(const Finish& f) {
    return f.epilogue.activation.kind == Activation::relu ? zero() : set1(-HUGE_VALF);
}

// Whole vectors without a mask.
HADES_INLINE F32 load_some(const float* p, int lanes) {
    return lanes == kLanes ? load(p) : load_n(p, lanes);
}

// Rows of accumulators, `row` floats apart, of which `columns` count.
struct Sums {
    const float* data;
    int row, rows, columns;
};

// body(offset in the sums, row, column, lanes) for every vector.
template <class Body>
HADES_INLINE void for_each_vector(const Sums& sums, const Body& body) {
    for (int row = 0; row < sums.rows; ++row)
        for (int column = 0; column < sums.columns; column += kLanes) {
            const int left = sums.columns - column;
            body(row * sums.row + column, row, column, left < kLanes ? left : kLanes);
        }
}

HADES_INLINE F32 scale_and_shift(const Finish& f, F32 alpha, F32 sum, int column, int lanes) {
    return fma(sum, alpha, f.bias ? load_some(f.bias + column, lanes) : zero());
}

HADES_INLINE void finish_vector(const Finish& f, F32 value, int row, int column, int lanes) {
    if (f.residual) value = value + load_some(f.residual + row * f.residual_row + column, lanes);
    value = apply(f.epilogue.after, value);
    float* y = f.y + row * f.y_row + column;
    if (lanes == kLanes)
        store(y, value);
    else
        store_n(y, value, lanes);
}

// The exponents of all vectors first, then what follows from them; at most kVectorsAtOnce vectors.
constexpr int kVectorsAtOnce = 32;

HADES_INLINE void finish_gelu_erf(const Finish f, const Sums sums) {
    const F32 alpha = set1(f.alpha);
    float arguments[kVectorsAtOnce * kLanes], exponents[kVectorsAtOnce * kLanes];
    int at = 0;
    for_each_vector(sums, [&](int from, int, int column, int lanes) {
        const F32 x = scale_and_shift(f, alpha, load(sums.data + from), column, lanes);
        store(arguments + at, x);
        store(exponents + at, gelu_erf_exponent(x));
        at += kLanes;
    });
    at = 0;
    for_each_vector(sums, [&](int, int row, int column, int lanes) {
        const F32 value = gelu_erf_of_exponent(load(arguments + at), load(exponents + at));
        finish_vector(f, value, row, column, lanes);
        at += kLanes;
    });
}

// `memory` holds rows of accumulators, `memory_row` floats apart, of which `columns` count.
__attribute__((noinline)) static void finish_rows(const Finish& finish, const float* memory,
                                                  int memory_row, int rows, int columns) {
    const Finish f = finish;  // of which no store to y could be a part
    const Sums sums = {memory, memory_row, rows, columns};
    const bool in_steps = f.epilogue.activation.kind == Activation::gelu_erf &&
                          rows * ((columns + kLanes - 1) / kLanes) <= kVectorsAtOnce;
    if (in_steps) return finish_gelu_erf(f, sums);
    const F32 alpha = set1(f.alpha);
    with_activation(f.epilogue.activation.kind, [=](auto kind) {
        for_each_vector(sums, [=](int from, int row, int column, int lanes) {
            const F32 x = scale_and_shift(f, alpha, load(memory + from), column, lanes);
            finish_vector(f, apply<kind.value>(f.epilogue.activation, x), row, column, lanes);
        });
    });
}

}  // namespace hades::HADES_ISA
