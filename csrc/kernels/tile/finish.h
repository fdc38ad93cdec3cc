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

// `memory` holds rows of accumulators, `memory_row` floats apart, of which `columns` count.
__attribute__((noinline)) static void finish_rows(const Finish& f, const float* memory,
                                                  int memory_row, int rows, int columns) {
    const F32 alpha = set1(f.alpha);
    with_activation(f.epilogue.activation.kind, [&](auto kind) {
        for (int row = 0; row < rows; ++row) {
            for (int column = 0; column < columns; column += kLanes) {
                const int lanes = columns - column < kLanes ? columns - column : kLanes;
                const F32 bias = f.bias ? load_n(f.bias + column, lanes) : zero();
                const F32 sum = fma(load(memory + row * memory_row + column), alpha, bias);
                F32 value = apply<kind.value>(f.epilogue.activation, sum);
                if (f.residual)
                    value = value + load_n(f.residual + row * f.residual_row + column, lanes);
                value = apply(f.epilogue.after, value);
                store_n(f.y + row * f.y_row + column, value, lanes);
            }
        }
    });
}

}  // namespace hades::HADES_ISA
