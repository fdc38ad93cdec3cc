#pragma once
#include <cstdint>

#include "base/dtype.h"
#include "base/loop_nest.h"

// Reductions over any axes, positions of extrema, running sums. Every output element is reduced by
// one thread in a fixed order, so results are equal for any number of threads.
namespace hades {

struct ReduceArgs {
    const void* x;
    void* y;
    const LoopNest* kept;     // operands x and y over the axes that remain
    const LoopNest* reduced;  // operand x over the axes that go
    int64_t begin, end;       // elements of `kept`
};

using Reduce = void(const ReduceArgs&);

// The position of the largest or smallest of n elements; the first NaN counts as either.
using ArgReduce = int64_t(const void* x, int64_t stride, int64_t n, bool largest, bool last);

struct CumsumArgs {
    const void* x;
    void* y;
    int64_t x_stride, y_stride, n;  // negative strides run backwards
    bool exclusive;
};
using Cumsum = void(const CumsumArgs&);

// nullptr where the function is not defined for that dtype.
using FindReduce = Reduce*(const char* function, DType dtype);
using FindArgReduce = ArgReduce*(DType dtype);
using FindCumsum = Cumsum*(DType dtype);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/reduce/reduce.inc"
#undef HADES_KERNEL

}  // namespace hades
