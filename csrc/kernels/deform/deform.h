#pragma once
#include <cstdint>

#include "base/epilogue.h"

// Deformable convolution over channels-last images: every tap of every output pixel is sampled at a
// place of its own. Sizes and strides count elements.
namespace hades {

constexpr int kDeformPixels = 112;  // output pixels of a chunk, at most

struct DeformShape {
    int64_t height, width, out_height, out_width;
    int64_t groups, ic, oc;  // ic and oc are per group
    int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int64_t offset_groups;  // each has channels of its own to move
    int64_t x_row, x_pixel, y_pixel;
    int64_t offset_channel, offset_row, offset_pixel;
    int64_t mask_channel, mask_row, mask_pixel;
    Epilogue epilogue;

    int64_t taps() const { return kernel_h * kernel_w; }
    int64_t depth() const { return taps() * ic; }
};

// Output pixels [first, first + count) of one image, all groups.
struct DeformArgs {
    const DeformShape* shape;
    int64_t first, count;
    int64_t taps_at_once;  // whose samples lie side by side in scratch
    const float* x;        // the image, as offset, mask (or nullptr) and y
    const float* offset;
    const float* mask;
    const float* w;     // packed, see DeformPacking
    const float* bias;  // [groups * oc] or nullptr
    float* y;           // the first pixel
    float* scratch;     // samples [count][pitch], then sums [count][oc in whole vectors]
    int64_t pitch;
};

// The kernel of one tier, and what packing must know of it.
struct DeformKernel {
    int32_t rows;           // pixels of a register tile
    int32_t lanes;          // of a vector
    int32_t panel_vectors;  // vectors side by side in a panel of weights
    void (*run)(const DeformArgs&);
};

using DeformProvider = DeformKernel();

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/deform/deform.inc"
#undef HADES_KERNEL

}  // namespace hades
