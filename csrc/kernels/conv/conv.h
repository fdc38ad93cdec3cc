#pragma once
#include <cstdint>

#include "kernels/tile/conv_grid.h"
#include "kernels/tile/conv_shape.h"

// Two-dimensional convolution over channels-last images. Sizes and strides count elements.
namespace hades {

constexpr int64_t kLineFloats = 16;  // of a cache line

// Output columns [begin, end) of every row that read the same source: the image itself, or a copy
// of the columns they need with the zero padding made explicit.
struct ConvSegment {
    int64_t begin, end;
    bool staged;
};

constexpr int kMaxSegments = 3;

// How the work is blocked; a function of the shape and the tier, never of the number of threads.
struct ConvPlan : ConvGrid {
    int64_t ic_slice;          // input channels summed before the partial sums are put aside
    bool merged_taps;          // a row of taps is one run of kernel_w * ic contiguous elements
    bool tiles_before_blocks;  // all weights of a chunk are at hand: the output is made in order
    int64_t pitch;             // elements between pixels of a staged source
    ConvSegment segments[kMaxSegments];
    int segment_count;
    int64_t input_plane, product_plane;  // elements between planes of a Winograd transform
    int64_t filter_plane;                // the same of filters, 0 where they lie transformed
    int64_t blocks_per_pass;             // whose products a Winograd convolution makes at a time
    int64_t staged_elements;             // scratch of a worker: staged sources, then partial sums
    int64_t partial_elements;            //
};

struct ConvArgs {
    const ConvShape* shape;
    const ConvPlan* plan;
    ConvChunk chunk;
    const float* x;
    const float* w;         // packed for the kernel
    const float* bias;      // [groups * oc] or nullptr
    const float* residual;  // like y, or nullptr
    float* y;
    float* scratch;
};

// The kernel of one tier, and what planning and packing must know of it.
struct ConvKernel {
    int32_t lanes;  // output channels in a vector of packed weights; a block is two of them
    bool is_vectorised;
    void (*run)(const ConvArgs&);
};

using ConvProvider = ConvKernel();

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/conv/conv.inc"
#undef HADES_KERNEL

}  // namespace hades
