#pragma once
#include <cstdint>

#include "base/requantize.h"
#include "kernels/tile/conv_grid.h"
#include "kernels/tile/conv_shape.h"

// Two-dimensional convolution of uint8 images, channels last, with int8 weights:
//   s = sum of (x - x_zero) * w + bias        int32, modulo 2^32; padding counts as x_zero
// and then what base/requantize.h says. A product of matrices is one whose rows are pixels.
namespace hades {

// Sizes and strides of the geometry count elements: bytes of x, elements of y and of the residual.
struct QconvShape {
    ConvShape conv;
    int32_t x_zero;
    Requantize requantize;
};

// How the work is blocked; a function of the shape and the tier, never of the number of threads.
struct QconvPlan : ConvGrid {
    bool merged_taps;                  // a row of taps is one run of kernel_w * ic contiguous bytes
    bool wide;                         // bytes and weights are multiplied as int16: see pack.h
    int64_t quads;                     // groups of four bytes, or of two int16, of a run
    bool staged;                       // the input is copied, with its padding made explicit
    int64_t pitch;                     // bytes between pixels of a staged source
    int64_t staged_bytes;              // scratch of a worker
    int64_t padding_bytes;             // of it, x_zero: a row at the end, a pixel at the beginning
    int64_t block_bytes, group_bytes;  // of packed weights
    int64_t ic_slice, blocks_per_pass;  // that a Winograd convolution takes at a time
    int64_t weight_slice;  // that it transforms the weights of at a time; 0: they are packed so
    int64_t input_plane, product_plane, weight_plane;     // elements between planes
    int64_t product_bytes, sum_bytes, late_weight_bytes;  // scratch behind the others
};

// Rows of taps that a depthwise kernel can have.
constexpr int64_t kMostDepthwiseRows = 64;

struct QconvArgs {
    const QconvShape* shape;
    const QconvPlan* plan;
    ConvChunk chunk;
    const uint8_t* x;
    const uint8_t* w;      // packed for the kernel
    const int32_t* bias;   // [groups * oc] or nullptr
    const float* factor;   // [groups * oc]
    const float* offset;   // [groups * oc] or nullptr
    const void* residual;  // like y, or nullptr
    void* y;
    uint8_t* scratch;
};

// The kernel of one tier, and what planning and packing must know of it.
struct QconvKernel {
    int32_t lanes;    // output channels in a vector of packed weights
    int32_t vectors;  // of a block
    bool saturates;   // sums of two products are kept in 16 bits: see pack.h
    void (*run)(const QconvArgs&);
};

using QconvProvider = QconvKernel();

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/qconv/qconv.inc"
#undef HADES_KERNEL

}  // namespace hades
