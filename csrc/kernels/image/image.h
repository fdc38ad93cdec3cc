#pragma once
#include <cstdint>

#include "base/macros.h"

// What happens to a photograph before and after a network, one row of the result per call.
namespace hades {

// The source samples of every result along one axis: result i is the sum over k < count[i] of
// weight[i * most + k] * source[first[i] + k].
struct Taps {
    const int32_t* first;
    const int32_t* count;
    const float* weight;
    int64_t most;
};

struct NormalizeArgs {
    const uint8_t* image;  // [height, width, 3]
    float* y;              // [3, out_height, out_width]
    int64_t image_stride;  // bytes between rows
    int64_t width, out_width;
    int64_t channel_stride, row_stride, pixel_stride;  // of y, in elements
    Taps rows, columns;
    float gain[3], offset[3];
};

// y = clamp(resampled, 0, 255) * gain + offset. scratch: normalize_scratch(width) floats.
using NormalizeRow = void(const NormalizeArgs&, int64_t row, float* scratch);
HADES_INLINE constexpr int64_t normalize_scratch(int64_t width) { return width * 3 + 4; }

struct UpscaleMaskArgs {
    const float* mask;  // [height, width]
    uint8_t* y;         // [out_height, out_width]
    int64_t mask_stride, y_stride;
    int64_t height, width, out_width;
    const int32_t* row;            // [out_height] upper of the two source rows
    const float* row_fraction;     // [out_height] share of the lower one
    const int32_t* column;         // [out_width]
    const float* column_fraction;  // [out_width]
};

// Rows [first, last): y = floor(255 * clamp(interpolated, 0, 1) + 0.5); every tier rounds alike.
// scratch: upscale_scratch(width, out_width) floats.
using UpscaleMaskRows = void(const UpscaleMaskArgs&, int64_t first, int64_t last, float* scratch);
HADES_INLINE constexpr int64_t upscale_scratch(int64_t width, int64_t out_width) {
    return width + 1 + 2 * out_width;
}

struct CompositeArgs {
    const uint8_t* image;       // [width, 3]
    const uint8_t* alpha;       // [width]
    const uint8_t* background;  // [width, 3]
    uint8_t* y;                 // [width, 3]
    int64_t width;
    int64_t background_pixel, background_channel;  // strides in bytes
};

// y = (image * alpha + background * (255 - alpha) + 127) / 255, exactly. scratch: width * 6 bytes.
using CompositeRow = void(const CompositeArgs&, uint8_t* scratch);

enum class PngFilter : int32_t { none, sub, up, average, paeth };

struct PngFilterArgs {
    const uint8_t* row;
    const uint8_t* above;  // the row before; zeros for the first
    uint8_t* y;            // [1 + bytes]
    int64_t bytes;
    int64_t bytes_per_pixel;
    PngFilter filter;
};

// PNG specification, section 9.
using PngFilterRow = void(const PngFilterArgs&);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/image/image.inc"
#undef HADES_KERNEL

}  // namespace hades
