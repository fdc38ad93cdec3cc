#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/image/image.h"

namespace hades {

// Weights of a separable resampling filter along one axis, by Pillow's convention: pixel centres at
// half integers, the filter widened by the reduction where `antialias`, weights that fall outside
// the image dropped and the rest normalised.
class TapTable {
  public:
    // resample: nearest, bilinear, bicubic (a = -0.5) or lanczos (3 lobes); false if it is none.
    bool build(const std::string& resample, bool antialias, int64_t source, int64_t result);
    Taps view() const;

  private:
    std::vector<int32_t> first_, count_;
    std::vector<float> weight_;
    int64_t most_ = 0;
};

}  // namespace hades
