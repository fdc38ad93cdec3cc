#pragma once
#include <cstdint>

// Sampling of images at the positions of a grid. Sizes and strides count elements.
namespace hades {

constexpr int kGridAxes = 3;    // images of fewer axes have extents of 1 in front
constexpr int kGridTaps = 4;    // along one axis, at most
constexpr int kGridBlock = 64;  // positions that one call looks up

enum class GridMode : int32_t { nearest, linear, cubic };
enum class GridPadding : int32_t { zeros, border, reflection };

struct GridAxis {
    int64_t extent, x;  // pixels, and elements between them
    int64_t grid;       // where in a position its coordinate is
};

// Up to kGridBlock positions of one image.
struct GridBlockArgs {
    const float* x;     // the image, channel 0
    const float* grid;  // the first position
    float* y;           // its channel 0
    int64_t count, channels;
    GridAxis axes[kGridAxes];
    int first_axis;  // the axes before it are not there
    int64_t x_channel, y_channel, y_position, grid_position;
    GridMode mode;
    GridPadding padding;
    bool align_corners;
};

// grid_sample_channels_f32: channels are contiguous on both sides. grid_sample_planes_f32: any
// strides, an image spans less than 2^31 elements.
using GridBlock = void(const GridBlockArgs&);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/grid/grid.inc"
#undef HADES_KERNEL

}  // namespace hades
