#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

// Resampling of one axis as a table: which input positions an output position reads and with which
// weights. Built when binding, so that kernels know nothing of modes and coordinates.
namespace hades {

enum class Interpolation { nearest, linear, cubic, lanczos };

struct Sampling {
    Interpolation mode = Interpolation::nearest;
    std::string coordinates = "half_pixel";  // the names of ONNX Resize
    std::string nearest_mode = "round_prefer_floor";
    double cubic_coeff_a = -0.75;
    bool antialias = false;
    bool exclude_outside = false;
};

struct AxisGeometry {
    int64_t in, out;
    double scale;
    double start = 0.0, end = 1.0;  // region of interest of tf_crop_and_resize
};

struct AxisTable {
    int64_t taps = 1;
    std::vector<int32_t> indices;  // [out, taps], inside the input
    std::vector<double> weights;   // [out, taps], each row adds up to 1
    std::vector<uint8_t> outside;  // [out]: replaced by the extrapolation value
    bool identity = false;         // position i reads i
    bool extrapolates = false;     // something is outside
};

// Refuses names that it does not know.
Status check_sampling(const Sampling& sampling);

AxisTable make_table(const AxisGeometry& axis, const Sampling& sampling);

}  // namespace hades
