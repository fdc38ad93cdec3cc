#include "kernels/qconv/winograd_pack.h"

#include <algorithm>
#include <cstring>

#include "kernels/qconv/winograd.h"
#include "kernels/tile/cut_chunks.h"

namespace hades {
namespace {

constexpr int kTransform[kWinogradPatch][3] = {{6, 0, 0}, {-4, -4, -4}, {-4, 4, -4},
                                               {1, 2, 4}, {1, -2, 4},   {0, 0, 6}};

// out[i * out_step] = row i of G times the three elements of `in`.
template <class Element>
void transform_three(const Element* in, int in_step, int* out, int out_step) {
    for (int i = 0; i < kWinogradPatch; ++i)
        out[i * out_step] = kTransform[i][0] * in[0] + kTransform[i][1] * in[in_step] +
                            kTransform[i][2] * in[2 * in_step];
}

// planes[6 * i + j] = (G filter G^T)[i, j]
void transform_filter(const int8_t* filter, int* planes) {
    int columns[3 * kWinogradPatch];
    for (int j = 0; j < 3; ++j) transform_three(filter + j, 3, columns + j, 3);
    for (int i = 0; i < kWinogradPatch; ++i) transform_three(columns + 3 * i, 1, planes + 6 * i, 1);
}

// Whether no sum over a slice of channels can reach +-2^25.
bool slices_are_exact(const int8_t* weights, const ConvShape& s, int64_t slice) {
    constexpr int64_t kMost = (int64_t{1} << 25) / 255;
    if (128 * slice * kWinogradTaps <= kMost) return true;
    if (!weights) return false;
    for (int64_t o = 0; o < s.oc; ++o)
        for (int64_t first = 0; first < s.ic; first += slice) {
            const int64_t count = std::min(slice, s.ic - first) * kWinogradTaps;
            int64_t above = 0, below = 0;
            for (int64_t i = 0; i < count; ++i) (weights[i] > 0 ? above : below) += weights[i];
            if (std::max(above, -below) > kMost) return false;
            weights += count;
        }
    return true;
}

}  // namespace

size_t WinogradPacking::weight_bytes() const {
    return plane_words() * (late ? kWinogradTaps : kWinogradPlanes * sizeof(int16_t));
}

size_t WinogradPacking::bytes() const {
    return weight_bytes() + static_cast<size_t>(padded_oc()) * sizeof(int32_t);
}

std::string WinogradPacking::layout() const {
    std::string name = "qconv_winograd";
    for (const int64_t number : {ic, oc, lanes, block, int64_t{late}})
        name += ":" + std::to_string(number);
    return name;
}

// One filter of a block of `width` channels.
void WinogradPacking::put(const int8_t* filter, int64_t i, int64_t o, int64_t width,
                          uint8_t* block_begin) const {
    if (late) {
        uint8_t* const to = block_begin + (i / 2 * kWinogradTaps * width + o) * 2 + i % 2;
        for (int64_t tap = 0; tap < kWinogradTaps; ++tap)
            to[tap * width * 2] = static_cast<uint8_t>(filter[tap]);
        return;
    }
    int planes[kWinogradPlanes];
    transform_filter(filter, planes);
    auto* const to = reinterpret_cast<int16_t*>(block_begin) + (i / 2 * width + o) * 2 + i % 2;
    for (int plane = 0; plane < kWinogradPlanes; ++plane)
        to[plane * plane_words()] = static_cast<int16_t>(planes[plane]);
}

void WinogradPacking::pack_part(int64_t part, const int8_t* source, uint8_t* packed) const {
    const int64_t first = part * block;
    const int64_t width = std::min(block, padded_oc() - first);
    const int64_t count = std::min(block, oc - first);
    const int64_t words = width * padded_ic();
    uint8_t* const weights = packed + first * padded_ic() * (late ? kWinogradTaps : 2);
    uint8_t* const sums = packed + weight_bytes() + first * 4;
    if (late)
        std::fill_n(weights, words * kWinogradTaps, uint8_t{0});
    else
        for (int plane = 0; plane < kWinogradPlanes; ++plane)
            std::fill_n(weights + plane * plane_words() * 2, words * 2, uint8_t{0});
    source += first * ic * kWinogradTaps;
    for (int64_t o = 0; o < width; ++o) {
        int32_t sum = 0;
        for (int64_t i = 0; i < (o < count ? ic : 0); ++i, source += kWinogradTaps) {
            put(source, i, o, width, weights);
            for (int64_t tap = 0; tap < kWinogradTaps; ++tap) sum += source[tap];
        }
        std::memcpy(sums + o * 4, &sum, sizeof sum);
    }
}

int64_t winograd_slice(const int8_t* weights, const ConvShape& s, int64_t most, int64_t step) {
    int64_t slice = s.ic <= most ? s.ic : round_up(even_part(s.ic, most), step);
    while (!slices_are_exact(weights, s, slice)) {
        const int64_t slices = ceil_div(s.ic, slice);
        slice = std::min(round_up(ceil_div(s.ic, slices + 1), step), round_up(slice, step) - step);
    }
    return slice;
}

}  // namespace hades
