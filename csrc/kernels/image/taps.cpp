#include "kernels/image/taps.h"

#include <algorithm>
#include <cmath>

namespace hades {
namespace {

constexpr double kPi = 3.14159265358979323846;

double triangle(double x) { return std::max(0.0, 1.0 - std::fabs(x)); }

double cubic(double x) {
    constexpr double a = -0.5;
    x = std::fabs(x);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
    return 0.0;
}

double sinc(double x) { return x == 0.0 ? 1.0 : std::sin(kPi * x) / (kPi * x); }

double lanczos(double x) { return std::fabs(x) < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0; }

struct Filter {
    const char* name;
    double (*value)(double);
    double radius;
};

const Filter kFilters[] = {
    {"bilinear", triangle, 1.0}, {"bicubic", cubic, 2.0}, {"lanczos", lanczos, 3.0}};

int32_t clamp_index(double x, int64_t size) {
    return static_cast<int32_t>(std::clamp(x, 0.0, static_cast<double>(size)));
}

}  // namespace

bool TapTable::build(const std::string& resample, bool antialias, int64_t source, int64_t result) {
    const double scale = static_cast<double>(source) / static_cast<double>(result);
    const Filter* filter = std::find_if(std::begin(kFilters), std::end(kFilters),
                                        [&](const Filter& f) { return resample == f.name; });
    const bool nearest = resample == "nearest";
    if (filter == std::end(kFilters) && !nearest) return false;

    const double stretch = antialias ? std::max(scale, 1.0) : 1.0;
    const double support = nearest ? 0.0 : filter->radius * stretch;
    most_ = std::min(source, static_cast<int64_t>(std::ceil(2.0 * support)) + 1);
    first_.resize(static_cast<size_t>(result));
    count_.resize(static_cast<size_t>(result));
    weight_.assign(static_cast<size_t>(result * most_), 0.0f);
    std::vector<double> weights(static_cast<size_t>(most_));
    for (int64_t i = 0; i < result; ++i) {
        const double centre = (static_cast<double>(i) + 0.5) * scale;
        int32_t begin = clamp_index(std::floor(centre), source - 1), end = begin + 1;
        weights[0] = 1.0;
        if (!nearest) {
            begin = clamp_index(std::floor(centre - support + 0.5), source);
            end = clamp_index(std::floor(centre + support + 0.5), source);
            for (int32_t k = begin; k < end; ++k)
                weights[static_cast<size_t>(k - begin)] =
                    filter->value((static_cast<double>(k) - centre + 0.5) / stretch);
        }
        double total = 0.0;
        for (int32_t k = 0; k < end - begin; ++k) total += weights[static_cast<size_t>(k)];
        first_[static_cast<size_t>(i)] = begin;
        count_[static_cast<size_t>(i)] = end - begin;
        for (int32_t k = 0; k < end - begin; ++k)
            weight_[static_cast<size_t>(i * most_ + k)] =
                static_cast<float>(weights[static_cast<size_t>(k)] / total);
    }
    return true;
}

Taps TapTable::view() const { return {first_.data(), count_.data(), weight_.data(), most_}; }

}  // namespace hades
