#pragma once
#include <cstdint>

#include "kernels/tile/conv_grid.h"
#include "kernels/tile/conv_shape.h"

// Two-dimensional convolution of bfloat16 images, channels last, with bfloat16 weights:
//   y = after(activation(sum of x * w + bias) + residual)
// in float32, rounded to bfloat16 where y is. A product of matrices is one whose rows are pixels.
namespace hades {

// Sizes and strides of the geometry count elements of x, of y and of the residual.
struct BconvShape {
    ConvShape conv;
    bool y_is_narrow;  // bfloat16
};

// How the work is blocked; a function of the shape and the tier, never of the number of threads.
struct BconvPlan : ConvGrid {
    bool merged_taps;         // a row of taps is one run of kernel_w * ic contiguous elements
    int64_t pairs;            // of neighbouring elements of a run
    bool staged;              // the input is copied, with its padding made explicit
    int64_t pitch;            // elements between pixels of a staged source
    int64_t staged_elements;  // scratch of a worker
    int64_t block_elements, group_elements;  // of packed weights
};

struct BconvArgs {
    const BconvShape* shape;
    const BconvPlan* plan;
    ConvChunk chunk;
    const uint16_t* x;
    const uint16_t* w;      // packed for the kernel
    const float* bias;      // [groups * oc] or nullptr
    const float* residual;  // of the shape of y, or nullptr
    void* y;                // float or uint16_t
    uint16_t* scratch;
};

// The kernel of one tier, and what planning and packing must know of it.
struct BconvKernel {
    int32_t lanes;    // output channels in a vector of packed weights
    int32_t vectors;  // of a block
    void (*run)(const BconvArgs&);
};

using BconvProvider = BconvKernel();

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/bconv/bconv.inc"
#undef HADES_KERNEL

}  // namespace hades
