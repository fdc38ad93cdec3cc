#pragma once
#include <cstdint>

#include "kernels/tile/winograd_tiles.h"

// Winograd's minimal filtering F(4x4, 3x3): 16 outputs from a 6x6 patch with 36 products per pair
// of channels instead of 144, at the interpolation points 0, +-3/4, +-3/2 and infinity. These
// points are exact in binary and their powers stay close to one, which keeps the error near twice
// that of the direct sum (max 3.6e-6, direct 2.1e-6, of the standard deviation of outputs with 64
// channels; the usual points 0, +-1, +-2 give 1.4e-5).
namespace hades {

constexpr int kFilterTaps = 9;
constexpr double kWinogradNear = 0.75;
constexpr double kWinogradFar = 1.5;

// One of the 36 matrix products, for a block of output channels.
struct PlaneProduct {
    const float* x;  // [tile][i], tiles `pitch` apart
    int64_t pitch;
    const float* w;  // [i][o in block]
    int64_t channels;
    float* products;  // [tile][o], tiles `row` apart
    int64_t row;
    bool accumulate;
};

// planes[6 * i + j] = (G filter G^T)[i, j] of a 3x3 filter, computed in double.
void transform_filter(const float* filter, double* planes);

}  // namespace hades
