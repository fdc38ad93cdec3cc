#pragma once
#include <cstdint>

// Pooling: the maximum or the mean of a window that slides over the last two axes of [n, c, h, w].
namespace hades {

struct PoolAxis {
    int64_t in, kernel, stride, pad, dilation;
    int64_t padded_end;  // positions from here on lie beyond the end pad and never count
};

struct PoolRowArgs {
    const void* x;     // element [0, 0, 0] of the image [c, h, w]
    void* y;           // element [0, 0] of the output row [w, c]
    int64_t* indices;  // like y, or nullptr
    int64_t channels, out_w;
    int64_t x_channel, x_row, x_pixel, y_channel, y_pixel, i_channel, i_pixel;
    PoolAxis vertical, horizontal;
    int64_t row;                                                // the output row
    int64_t index_base, index_channel, index_row, index_pixel;  // index of element [c, h, w]
    bool count_include_pad;
    // Means of bytes: limit(round_half_even(sum of (x - x_zero) * x_scale / count / y_scale)
    // + y_zero), each step rounded to float32, taps in order.
    float x_scale, x_zero, y_scale, y_zero;
};

// <function>_f32, <function>_u8, max_pool_bf16: channels of x and y are contiguous;
// max_pool_indices_f32 gives indices as well. <function>_any_<dtype>: any strides, with indices
// where asked for.
using PoolRow = void(const PoolRowArgs&);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/pool/pool.inc"
#undef HADES_KERNEL

}  // namespace hades
