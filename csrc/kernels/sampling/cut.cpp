#include "kernels/sampling/cut.h"

#include <cmath>
#include <cstring>

namespace hades {
namespace {

constexpr int kDigits = 3;
constexpr int kShift[kDigits] = {21, 10, 0};
constexpr int kBits[kDigits] = {11, 11, 10};
constexpr int kMostBins = 1 << 11;

// Unsigned, ascending as the values do; zeros of either sign are equal.
uint32_t ascending_bits(float value) {
    value += 0.0f;  // makes a negative zero positive
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// The bits above a digit, which are known by the time that the digit is looked at.
uint32_t known_bits(int digit) {
    return digit == 0 ? 0 : ~((1u << (kShift[digit] + kBits[digit])) - 1);
}

float value_of(uint32_t ascending) {
    const uint32_t bits = ascending & 0x80000000u ? ascending & 0x7fffffffu : ~ascending;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

// Measures of the values that begin with the known bits, by their next digit.
void measure_bins(const float* values, const float* weights, int64_t n, int digit, uint32_t prefix,
                  double* bins) {
    const uint32_t known = known_bits(digit), mask = (1u << kBits[digit]) - 1;
    std::memset(bins, 0, kMostBins * sizeof *bins);
    for (int64_t i = 0; i < n; ++i) {
        const uint32_t bits = ascending_bits(values[i]);
        if ((bits & known) != prefix) continue;
        bins[bits >> kShift[digit] & mask] += weights ? static_cast<double>(weights[i]) : 1.0;
    }
}

// Measure and number of the values that have exactly these bits.
struct Equals {
    double measure;
    int64_t count;
};
Equals equals_of(const float* values, const float* weights, int64_t n, float value) {
    Equals equals = {1.0, 0};
    for (int64_t i = 0; i < n; ++i) {
        if (values[i] != value) continue;
        if (weights) equals.measure = static_cast<double>(weights[i]);
        ++equals.count;
    }
    return equals;
}

}  // namespace

Cut find_cut(const float* values, const float* weights, int64_t n, double wanted) {
    double bins[kMostBins];
    uint32_t prefix = 0;
    double above = 0;  // measure of the values above those that begin with the prefix
    for (int digit = 0; digit < kDigits; ++digit) {
        measure_bins(values, weights, n, digit, prefix, bins);
        int bin = (1 << kBits[digit]) - 1;
        int last = -1;  // with anything in it
        for (; bin >= 0; --bin) {
            if (bins[bin] <= 0.0) continue;
            last = bin;
            if (above + bins[bin] >= wanted) break;
            above += bins[bin];
        }
        if (last < 0 || (bin < 0 && digit == 0)) return {-HUGE_VALF, 0};
        // Other sums than those of the digit before: rounding may leave none, and it is the last.
        if (bin < 0) above -= bins[last];
        prefix |= static_cast<uint32_t>(last) << kShift[digit];
    }
    const float value = value_of(prefix);
    const Equals equals = equals_of(values, weights, n, value);
    const double kept = std::fmax(std::ceil((wanted - above) / equals.measure), 1.0);
    if (kept >= static_cast<double>(equals.count)) return {value, 0};
    return {value, equals.count - static_cast<int64_t>(kept)};
}

}  // namespace hades
