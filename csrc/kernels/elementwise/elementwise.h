#pragma once
#include <cstdint>

#include "base/dtype.h"
#include "base/loop_nest.h"

// Functions of one element of each input. float32 arithmetic runs as pointwise programs over blocks
// that stay in the first-level cache (`map_f32`); other dtypes, and results of another dtype, run
// typed loops, which the compiler vectorises for the baseline only: they are rare in networks.
namespace hades {

constexpr int kMapMaxInputs = 8;
constexpr int kMapMaxRegisters = 16;
constexpr int kMapMaxSteps = 64;
constexpr int kMapBlock = 512;  // elements: 16 registers of 2 KiB fill a 32 KiB cache
constexpr int kSplat = 16;      // copies of a constant, as many as the widest vector has lanes

// Sources: a register, or -1 - i for constant i. Registers below input_count are the inputs.
struct MapStep {
    int32_t function, destination, a, b, c;
};

// What bytes stand for: (q - zero) * scale.
struct MapGrid {
    float scale, zero;
};

struct MapArgs {
    const LoopNest* nest;  // operands: the inputs, then the output
    const MapStep* steps;
    int32_t step_count, input_count;
    const float* constants;  // kSplat copies of each
    const void* const* inputs;
    void* output;
    uint32_t bytes;        // bit k: operand k holds bytes instead of floats; the output comes last
    const MapGrid* grids;  // of each operand that does
    int64_t begin, end;    // elements of the nest
    float* scratch;        // kMapBlock floats per register
};

using Map = void(const MapArgs&);

// Loops over n elements, strides in elements.
using UnaryLoop = void(const void* x, int64_t x_stride, void* y, int64_t y_stride, int64_t n);
using BinaryLoop = void(const void* a, int64_t a_stride, const void* b, int64_t b_stride, void* y,
                        int64_t y_stride, int64_t n);
using SelectLoop = void(const void* condition, int64_t condition_stride, const void* a,
                        int64_t a_stride, const void* b, int64_t b_stride, void* y,
                        int64_t y_stride, int64_t n);

// By the number of a function; nullptr where it is not defined for that dtype.
using FindUnary = UnaryLoop*(int function, DType x);
using FindBinary = BinaryLoop*(int function, DType operands);
using FindSelect = SelectLoop*(DType values);
using FindCast = UnaryLoop*(DType from, DType to);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/elementwise/elementwise.inc"
#undef HADES_KERNEL

}  // namespace hades
