#include "kernels/resize/table.h"

#include <algorithm>
#include <cmath>

namespace hades {
namespace {

// Where output position i lies in the input.
double original_coordinate(const AxisGeometry& axis, const std::string& mode, int64_t i) {
    const auto x = static_cast<double>(i);
    const auto in = static_cast<double>(axis.in), out = static_cast<double>(axis.out);
    const double last = in - 1;
    const double centre = (x + 0.5) / axis.scale;
    if (mode == "half_pixel_symmetric") {
        // A scale may ask for a fraction of a pixel; what is lost comes off both ends alike.
        const double adjustment = out / (axis.scale * in);
        return in / 2 * (1 - adjustment) + centre - 0.5;
    }
    if (mode == "pytorch_half_pixel") return axis.out > 1 ? centre - 0.5 : 0.0;
    if (mode == "align_corners") return axis.out > 1 ? x * last / (out - 1) : 0.0;
    if (mode == "asymmetric") return x / axis.scale;
    if (mode == "tf_half_pixel_for_nn") return centre;
    if (mode == "tf_crop_and_resize")
        return axis.out > 1 ? axis.start * last + x * (axis.end - axis.start) * last / (out - 1)
                            : 0.5 * (axis.start + axis.end) * last;
    return centre - 0.5;
}

// Scales are float32: a tie is what is one in that precision.
double nearest(double coordinate, const std::string& mode) {
    const auto x = static_cast<float>(coordinate);
    if (mode == "round_prefer_floor") return std::ceil(x - 0.5f);
    if (mode == "round_prefer_ceil") return std::floor(x + 0.5f);
    return mode == "floor" ? std::floor(x) : std::ceil(x);
}

// Keys' cubic convolution kernel.
double cubic(double t, double a) {
    if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
    return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0.0;
}

double sinc(double t) { return t == 0 ? 1.0 : std::sin(M_PI * t) / (M_PI * t); }

double kernel_at(const Sampling& sampling, double distance) {
    const double t = std::fabs(distance);
    switch (sampling.mode) {
        case Interpolation::cubic:
            return cubic(t, sampling.cubic_coeff_a);
        case Interpolation::lanczos:
            return t < 3 ? sinc(t) * sinc(t / 3) : 0.0;
        default:
            return t < 1 ? 1 - t : 0.0;
    }
}

double radius_of(Interpolation mode) {
    return mode == Interpolation::linear ? 1 : mode == Interpolation::cubic ? 2 : 3;
}

// Fills one row of the table for a window that begins at `first`, which may lie outside.
void fill_row(const AxisGeometry& axis, const Sampling& sampling, double x, double first,
              double squeeze, int64_t taps, int32_t* indices, double* weights) {
    double total = 0;
    for (int64_t t = 0; t < taps; ++t) {
        const double position = first + static_cast<double>(t);
        const bool inside = position >= 0 && position < static_cast<double>(axis.in);
        const bool counts = inside || !sampling.exclude_outside;
        weights[t] = counts ? kernel_at(sampling, (position - x) * squeeze) : 0.0;
        indices[t] = static_cast<int32_t>(
            std::min(std::max(position, 0.0), static_cast<double>(axis.in - 1)));
        total += weights[t];
    }
    for (int64_t t = 0; t < taps; ++t) weights[t] /= total;
}

bool is_identity(const AxisGeometry& axis, const AxisTable& table) {
    if (axis.in != axis.out || table.extrapolates) return false;
    for (size_t i = 0; i < table.indices.size(); ++i) {
        const auto position = static_cast<int32_t>(static_cast<int64_t>(i) / table.taps);
        if (table.weights[i] != 0 && table.indices[i] != position) return false;
    }
    return true;
}

// An axis that nobody asked to resize, whatever the coordinate mode would make of it.
AxisTable untouched(int64_t extent) {
    AxisTable table;
    for (int64_t i = 0; i < extent; ++i) table.indices.push_back(static_cast<int32_t>(i));
    table.weights.assign(static_cast<size_t>(extent), 1.0);
    table.outside.assign(static_cast<size_t>(extent), 0);
    table.identity = true;
    return table;
}

}  // namespace

Status check_sampling(const Sampling& sampling) {
    const char* const coordinates[] = {
        "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
        "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"};
    const char* const nearest_modes[] = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                         "ceil"};
    const auto knows = [](const auto& names, const std::string& name) {
        return std::find(std::begin(names), std::end(names), name) != std::end(names);
    };
    if (!knows(coordinates, sampling.coordinates))
        return invalid("coordinates \"%s\" is unknown", sampling.coordinates.c_str());
    if (!knows(nearest_modes, sampling.nearest_mode))
        return invalid("nearest_mode \"%s\" is unknown", sampling.nearest_mode.c_str());
    return {};
}

AxisTable make_table(const AxisGeometry& axis, const Sampling& sampling) {
    if (axis.in == axis.out && axis.scale == 1 && sampling.coordinates != "tf_crop_and_resize")
        return untouched(axis.in);
    AxisTable table;
    // Antialiasing widens the kernel when the image shrinks.
    const double squeeze = sampling.antialias ? std::min(axis.scale, 1.0) : 1.0;
    const bool is_nearest = sampling.mode == Interpolation::nearest;
    const double radius = radius_of(sampling.mode) / squeeze;
    if (!is_nearest) table.taps = static_cast<int64_t>(std::ceil(2 * radius));
    const auto out = static_cast<size_t>(axis.out), taps = static_cast<size_t>(table.taps);
    table.indices.resize(out * taps);
    table.weights.resize(out * taps, 1.0);
    table.outside.resize(out);
    for (size_t i = 0; i < out; ++i) {
        const double x = original_coordinate(axis, sampling.coordinates, static_cast<int64_t>(i));
        const bool outside = sampling.coordinates == "tf_crop_and_resize" &&
                             (x < 0 || x > static_cast<double>(axis.in - 1));
        table.outside[i] = outside;
        table.extrapolates |= outside;
        int32_t* indices = &table.indices[i * taps];
        if (is_nearest)
            *indices =
                static_cast<int32_t>(std::min(std::max(nearest(x, sampling.nearest_mode), 0.0),
                                              static_cast<double>(axis.in - 1)));
        else
            fill_row(axis, sampling, x, std::floor(x - radius) + 1, squeeze, table.taps, indices,
                     &table.weights[i * taps]);
    }
    table.identity = is_identity(axis, table);
    return table;
}

}  // namespace hades
