#pragma once
#include <cstdint>

#include "base/epilogue.h"
#include "base/macros.h"
#include "base/rounding.h"

// Two-dimensional convolution over channels-last images. Sizes and strides count elements.
namespace hades {

struct ConvShape {
    int64_t images, height, width;                   // input
    int64_t out_height, out_width;                   //
    int64_t groups, ic, oc;                          // ic and oc are per group
    int64_t kernel_h, kernel_w, stride_h, stride_w;  //
    int64_t dilation_h, dilation_w, pad_top, pad_left;
    int64_t x_image, x_row, x_pixel;
    int64_t y_image, y_row, y_pixel;
    int64_t residual_image, residual_row, residual_pixel;
    Epilogue epilogue;
};

// Output columns [begin, end) of every row that read the same source: the image itself, or a copy
// of the columns they need with the zero padding made explicit.
struct ConvSegment {
    int64_t begin, end;
    bool staged;
};

constexpr int kMaxSegments = 3;

// How the work is blocked; a function of the shape and the tier, never of the number of threads.
struct ConvPlan {
    int64_t block;             // output channels of a packed block of weights: two vectors
    int64_t ic_slice;          // input channels summed before the partial sums are put aside
    bool merged_taps;          // a row of taps is one run of kernel_w * ic contiguous elements
    bool tiles_before_blocks;  // all weights of a chunk are at hand: the output is made in order
    int64_t pitch;             // elements between pixels of a staged source
    ConvSegment segments[kMaxSegments];
    int segment_count;
    int64_t rows, columns;  // the grid that chunks cut: output pixels, or Winograd tiles in one row
    int64_t rows_per_chunk, columns_per_chunk, blocks_per_chunk;
    int64_t images, group_chunks, row_chunks, column_chunks, block_chunks, blocks;
    int64_t input_plane, product_plane;  // elements between planes of a Winograd transform
    int64_t staged_elements;             // scratch of a worker: staged sources, then partial sums
    int64_t partial_elements;            //
};

// A box of the output that one call computes; blocks are blocks of output channels of the group.
struct ConvChunk {
    int64_t image, group;
    int64_t row_begin, row_end, column_begin, column_end, block_begin, block_end;
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

// Rows [begin, end) of the kernel whose input rows lie inside the image, for one output row.
struct ConvTapRange {
    int64_t begin, end;
};

HADES_INLINE ConvTapRange taps_inside(int64_t out, int64_t stride, int64_t pad, int64_t dilation,
                                      int64_t taps, int64_t extent) {
    const int64_t first = out * stride - pad;
    const int64_t begin = first >= 0 ? 0 : ceil_div(-first, dilation);
    const int64_t room = extent - 1 - first;
    const int64_t end = room < 0 ? 0 : room / dilation + 1;
    const int64_t clipped = end < taps ? end : taps;
    return {begin, clipped > begin ? clipped : begin};
}

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/conv/conv.inc"
#undef HADES_KERNEL

}  // namespace hades
