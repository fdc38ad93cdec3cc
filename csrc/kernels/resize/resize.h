#pragma once
#include <cstdint>

// Resampling by tables of (index, weight) per axis, see table.h.
namespace hades {

// What becomes of interpolated bytes v before they are bytes again:
//   limit(round_half_even((v - x_zero) / y_scale) + y_zero), or the whole part of v
struct ResizeBytes {
    float x_zero, y_scale, y_zero;  // the scale counts steps of x
    // From there to another grid, limit(round_half_even((y - y_zero) * then_factor) + then_zero); a
    // factor of 0 says that there is none.
    float then_factor, then_zero;
    bool truncates;
    bool moves;     // a single tap each way: bytes are copied
    bool is_short;  // at most two taps each way, weights are sixteenths, y is on the grid of x
};

// One row of an image whose pixels are `channels` contiguous elements (one, where it is planar).
struct ResizeRowArgs {
    const void* x;  // row 0 of the input image
    void* y;        // the output row
    float* row;     // scratch [in_w, channels] for the vertically combined input row, and a vector
    ResizeBytes bytes;
    int64_t channels, in_w, out_w;
    int64_t x_row, x_pixel, y_pixel;
    const int32_t* vertical_indices;  // [vertical_taps], of this output row
    const float* vertical_weights;
    int64_t vertical_taps;
    const int32_t* horizontal_indices;  // [out_w, taps], or [taps, out_w] where channels == 1
    const float* horizontal_weights;
    int64_t horizontal_taps;
    bool vertical_identity, horizontal_identity;
};

// resize_row_f32, resize_row_u8
using ResizeRow = void(const ResizeRowArgs&);

struct ResizeAxis {
    int64_t out, taps, x_stride, y_stride;
    const int32_t* indices;  // [out, taps]
    const double* weights;
    const uint8_t* outside;  // [out]
};

// Elements [first, last) of the output in row-major order of `axes`.
struct ResizeAnyArgs {
    const void* x;
    void* y;
    const ResizeAxis* axes;
    int64_t rank;
    int64_t first, last;
    const void* extrapolation;  // one element
};

// resize_any_<dtype>: sums over the product of the taps. resize_nearest_b<size>: one tap per axis,
// moves elements of any type.
using ResizeAny = void(const ResizeAnyArgs&);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/resize/resize.inc"
#undef HADES_KERNEL

}  // namespace hades
