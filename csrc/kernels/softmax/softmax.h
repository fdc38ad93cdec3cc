#pragma once
#include <cstdint>

// y = exp(x - max(x)) / sum(exp(x - max(x))) over rows, or its logarithm.
namespace hades {

struct SoftmaxArgs {
    const float* x;
    float* y;  // may be x
    int64_t rows, n;
    int64_t x_stride, y_stride;  // elements between rows
    bool log;
};

using Softmax = void(const SoftmaxArgs&);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/softmax/softmax.inc"
#undef HADES_KERNEL

}  // namespace hades
