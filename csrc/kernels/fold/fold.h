#pragma once
#include <cstdint>

#include "base/macros.h"

// Folding: overlapping blocks, one per place of a sliding window, are added up to an image.
namespace hades {

constexpr int kFoldAxes = 3;  // images of fewer axes have single positions in front

struct FoldAxis {
    int64_t extent, blocks;  // of the image, and how many windows there are
    int64_t kernel, stride, pad, dilation;
};

// What one tap of the last axis adds: `count` blocks from `block` on, to sums from `sum` on.
struct FoldRun {
    int64_t block, sum, count;
};

// One line of one plane: all positions of the last axis.
struct FoldLineArgs {
    const float* columns;  // of the plane: [taps][blocks], both row-major and contiguous
    float* y;
    float* sums;  // scratch: as many runs as the window has steps, see phase_length
    FoldAxis axes[kFoldAxes];
    const int64_t* blocks[kFoldAxes - 1];  // per tap of an axis before: which block, or -1
    const FoldRun* runs;                   // per tap of the last axis
    int64_t y_pixel;
};

using FoldLine = void(const FoldLineArgs&);

// Positions with one remainder modulo the stride: they add blocks that lie side by side.
HADES_INLINE int64_t phase_length(const FoldAxis& axis) {
    return (axis.extent + axis.stride - 1) / axis.stride;
}

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/fold/fold.inc"
#undef HADES_KERNEL

}  // namespace hades
