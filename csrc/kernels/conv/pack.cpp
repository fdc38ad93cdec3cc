#include "kernels/conv/pack.h"

#include <algorithm>

#include "kernels/conv/plan.h"
#include "kernels/conv/winograd.h"

namespace hades {

std::string ConvPacking::layout() const {
    constexpr const char* kNames[] = {"conv", "filters", "winograd"};
    return std::string(kNames[static_cast<int>(order)]) + ":g" + std::to_string(groups) + ":i" +
           std::to_string(ic) + ":t" + std::to_string(taps) + ":b" + std::to_string(block) + ":l" +
           std::to_string(lanes) + ":j" + std::to_string(joined);
}

void ConvPacking::pack_part(int64_t part, const float* source, float* packed) const {
    const int64_t group = part / blocks();
    const int64_t first = part % blocks() * block;
    const int64_t width = std::min(block, padded_oc() - first);
    const int64_t count = std::min(width, oc - first);
    if (order == WeightOrder::planes)
        return pack_planes(source + first * ic * 9, width, count, packed + first * ic);
    packed += (group * padded_oc() + first) * taps * ic;
    if (joined > 1) return pack_joined(group * oc + first, width, source, packed);
    source += (group * oc + first) * ic * taps;
    const bool by_channel = order == WeightOrder::taps_of_channel;
    const int64_t outer = by_channel ? ic : taps, inner = by_channel ? taps : ic;
    for (int64_t first = 0; first < outer; ++first)
        for (int64_t second = 0; second < inner; ++second, packed += width) {
            const int64_t t = by_channel ? second : first, i = by_channel ? first : second;
            for (int64_t o = 0; o < width; ++o)
                packed[o] = o < count ? source[(o * ic + i) * taps + t] : 0.0f;
        }
}

// A block whose groups see their own inputs; its outputs see zeros of the others. Output `first` is
// counted over all groups.
void ConvPacking::pack_joined(int64_t first, int64_t width, const float* source,
                              float* packed) const {
    const int64_t own_ic = ic / joined, own_oc = oc / joined;
    const int64_t count = std::min(width, oc - first % oc);
    for (int64_t t = 0; t < taps; ++t)
        for (int64_t i = 0; i < ic; ++i, packed += width)
            for (int64_t o = 0; o < width; ++o) {
                const bool sees = o < count && (first + o) % oc / own_oc == i / own_ic;
                packed[o] = sees ? source[((first + o) * own_ic + i % own_ic) * taps + t] : 0.0f;
            }
}

void ConvPacking::pack_planes(const float* source, int64_t width, int64_t count,
                              float* packed) const {
    double planes[kWinogradPlanes];
    const int64_t distance = padded_oc() * ic;
    for (int64_t t = 0; t < taps; ++t)
        std::fill(packed + t * distance, packed + t * distance + ic * width, 0.0f);
    for (int64_t o = 0; o < count; ++o) {
        for (int64_t i = 0; i < ic; ++i, source += 9) {
            transform_filter(source, planes);
            for (int64_t t = 0; t < taps; ++t)
                packed[t * distance + i * width + o] = static_cast<float>(planes[t]);
        }
    }
}

ConvPacking direct_packing(const ConvShape& s, int lanes) {
    return {s.groups,
            s.ic,
            s.oc,
            s.kernel_h * s.kernel_w,
            2 * lanes,
            lanes,
            WeightOrder::taps_of_block};
}

ConvPacking winograd_packing(const ConvShape& s, int lanes) {
    if (transforms_per_run(s))
        return {1, s.ic, s.oc, 9, 2 * lanes, lanes, WeightOrder::taps_of_channel};
    return {1, s.ic, s.oc, kWinogradPlanes, 2 * lanes, lanes, WeightOrder::planes};
}

ConvPacking dot_packing(const ConvShape& s, int) {
    return {s.groups, s.ic, s.oc, s.kernel_h * s.kernel_w, 1, 1, WeightOrder::taps_of_block};
}

ConvPacking depthwise_packing(const ConvShape& s, int) {
    const int64_t channels = s.groups * s.oc;
    return {1, 1, channels, s.kernel_h * s.kernel_w, channels, 1, WeightOrder::taps_of_block};
}

}  // namespace hades
