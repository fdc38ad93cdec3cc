#pragma once
#include <cstdint>

// Between float32 and points of grids of 8 bits, element by element:
//   quantize_u8      y = limit(round_half_even(x / scale) + zero, 0, 255), where NaN gives 0
//   dequantize_u8    y = float(x - zero) * scale
//   requantize       the second, then the first with another scale and zero: a table of 256 bytes,
//                    or limit(round_half_even((x - zero) * factor) + y_zero) where that is the same
//   lookup           y = table[x]: the same kernel, with a table that is given
namespace hades {

// Rows of n elements, strides in elements. Rows are one, or x_row and y_stride are 1: a block that
// is transposed on the way.
struct GridRun {
    const void* x;
    void* y;
    int64_t x_stride, y_stride, n;
    int64_t x_row, y_row, rows;
    float scale;
    int32_t zero;
    // Of requantize and lookup; a factor of 0 says that there is none.
    const uint8_t* table;
    float factor, y_zero;
};

using GridFn = void(const GridRun&);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/requantize/requantize.inc"
#undef HADES_KERNEL

}  // namespace hades
