#pragma once
#include <cstdint>

// Pooling over regions of interest of channels-last images. Sizes and strides count elements.
namespace hades {

struct RoiAxis {
    int64_t extent, bins;
    int64_t x;  // elements between pixels
};

// One row of bins of one region.
struct RoiRowArgs {
    const float* x;  // the image
    float box[4];    // left, top, right, bottom
    float* y;        // the first bin
    int64_t row, channels, y_bin;
    RoiAxis vertical, horizontal;
    float scale;             // from the coordinates of boxes to pixels
    int64_t sampling_ratio;  // samples per bin and axis; 0: about one per pixel
    bool half_pixel;         // whether the centre of the first pixel is at 0.5
};

// roi_align_average_f32, roi_align_max_f32: of samples between pixels. roi_max_pool_f32: of pixels.
using RoiRow = void(const RoiRowArgs&);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/roi/roi.inc"
#undef HADES_KERNEL

}  // namespace hades
