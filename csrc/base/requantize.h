#pragma once
#include <cstdint>

#include "base/epilogue.h"

namespace hades {

// What a product of integers does to a finished sum before it stores it, for output channel o:
//   v = after(via(activation(float(sum) * factor[o] + offset[o])) + residual)     each step rounded
//   y = v, or limit(round_half_even(v / y_scale) + y_zero, 0, 255), where NaN gives 0
// A uint8 residual r counts as float(r - residual_zero) * residual_scale. `via` goes through the
// points of a grid, as if they had been stored: float(q - via_zero) * via_scale with
// q = limit(round_half_even(v / via_step) + via_zero, 0, 255); it is v where via_step is 0.
struct Requantize {
    Epilogue epilogue;
    float y_scale, residual_scale, via_step, via_scale;
    int32_t y_zero, residual_zero, via_zero;
    bool y_is_bytes, residual_is_bytes;
};

}  // namespace hades
