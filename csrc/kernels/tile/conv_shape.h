#pragma once
#include <cstdint>

#include "base/epilogue.h"
#include "base/macros.h"
#include "base/rounding.h"
#include "kernels/tile/conv_grid.h"

// What the convolutions of floats and of bytes have in common. Sizes and strides count elements.
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

// What outputs see of the image: rows inside it, and columns, padding among them.
struct InputWindow {
    int64_t row_begin, row_end, column_begin, column_end;
};

// Of the rows of a chunk and its output columns [begin, end).
HADES_INLINE InputWindow input_window(const ConvShape& s, const ConvChunk& chunk, int64_t begin,
                                      int64_t end) {
    const int64_t first = chunk.row_begin * s.stride_h - s.pad_top;
    const int64_t last =
        (chunk.row_end - 1) * s.stride_h - s.pad_top + (s.kernel_h - 1) * s.dilation_h + 1;
    return {first > 0 ? first : 0, last < s.height ? last : s.height,
            begin * s.stride_w - s.pad_left,
            (end - 1) * s.stride_w - s.pad_left + (s.kernel_w - 1) * s.dilation_w + 1};
}

}  // namespace hades
