#include "kernels/qconv/pack.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace hades {
namespace {

// 255 times a sum of weights of one sign fits in 16 bits up to here.
constexpr int kPairLimit = 128;

void store_i32(uint8_t* to, int64_t index, int64_t value) {
    const auto narrow = static_cast<int32_t>(value);
    std::memcpy(to + index * 4, &narrow, sizeof narrow);
}

bool pair_saturates(const uint8_t* pair) {
    const int first = static_cast<int8_t>(pair[0]), second = static_cast<int8_t>(pair[1]);
    const int above = std::max(first, 0) + std::max(second, 0);
    const int below = std::min(first, 0) + std::min(second, 0);
    return above > kPairLimit || below < -kPairLimit;
}

// Whether a quad of some channels has such a pair.
bool quad_saturates(const uint8_t* quad, int64_t channels) {
    for (int64_t pair = 0; pair < 2 * channels; ++pair)
        if (pair_saturates(quad + 2 * pair)) return true;
    return false;
}

// Moves half of the weights of pairs that saturate to `other`, which is zero.
void split_quad(uint8_t* quad, int64_t channels, uint8_t* other) {
    for (int64_t pair = 0; pair < 2 * channels; ++pair) {
        if (!pair_saturates(quad + 2 * pair)) continue;
        for (int64_t at = 2 * pair; at < 2 * pair + 2; ++at) {
            const int weight = static_cast<int8_t>(quad[at]), half = weight / 2;
            quad[at] = static_cast<uint8_t>(half);
            other[at] = static_cast<uint8_t>(weight - half);
        }
    }
}

}  // namespace

int64_t QconvPacking::width_of(int64_t block_index) const {
    return std::min(block(), round_up(oc - block_index * block(), lanes));
}

size_t QconvPacking::weight_bytes(int64_t width) const {
    return static_cast<size_t>(kernel_h * row_quads() * width * 4);
}

size_t QconvPacking::depthwise_bytes() const {
    return static_cast<size_t>(round_up(kernel_h, 4) * kernel_w * block());
}

size_t QconvPacking::block_bytes() const {
    if (depthwise)
        return round_up(
            depthwise_bytes() * (saturates ? 2 : 1) + static_cast<size_t>(block()) * 4 + 4, 64);
    size_t bytes = weight_bytes(block()) + static_cast<size_t>(kernel_h * block() * 4);
    if (saturates)
        bytes += static_cast<size_t>(vectors * (kernel_h + 1) * 4 + most_extra * (8 + lanes * 4));
    return round_up(bytes, 64);
}

std::string QconvPacking::layout() const {
    std::string name = "qconv";
    for (const int64_t number :
         {groups, ic, oc, kernel_h, kernel_w, lanes, vectors, int64_t{merged_taps},
          int64_t{saturates}, int64_t{depthwise}, int64_t{wide}, o_stride, i_stride})
        name += ":" + std::to_string(number);
    return name;
}

// Entry `at` of a run for one of `width` channels.
void QconvPacking::put(uint8_t* to, int64_t at, int64_t width, int8_t weight) const {
    if (wide) {
        const int16_t word = weight;
        std::memcpy(to + at / 2 * width * 4 + at % 2 * 2, &word, sizeof word);
    } else {
        to[at / 4 * width * 4 + at % 4] = static_cast<uint8_t>(weight);
    }
}

// The sum of what one lane of a quad holds.
int64_t QconvPacking::sum_of(const uint8_t* quad) const {
    int64_t sum = 0;
    for (int64_t i = 0; i < 4; i += wide ? 2 : 1) {
        int16_t word;
        std::memcpy(&word, quad + i / 2 * 2, sizeof word);
        sum += wide ? word : static_cast<int8_t>(quad[i]);
    }
    return sum;
}

// [row of taps][run][quad][channel of the block][4]
void QconvPacking::pack_weights(int64_t part, const int8_t* source, uint8_t* packed) const {
    const int64_t group = part / blocks(), index = part % blocks();
    const int64_t width = width_of(index), first = index * block();
    const int64_t count = std::min(width, oc - first);
    source += (group * oc + first) * o_stride;
    std::memset(packed, 0, weight_bytes(width));
    for (int64_t o = 0; o < count; ++o)
        for (int64_t row = 0; row < kernel_h; ++row)
            for (int64_t column = 0; column < kernel_w; ++column) {
                const int64_t run = merged_taps ? 0 : column;
                const int64_t begin = merged_taps ? column * ic : 0;
                const int8_t* tap = source + o * o_stride + row * kernel_w + column;
                uint8_t* to = packed + ((row * row_quads() + run * quads()) * width + o) * 4;
                for (int64_t i = 0; i < ic; ++i) put(to, begin + i, width, tap[i * i_stride]);
            }
}

void QconvPacking::pack_sums(const uint8_t* weights, int64_t width, uint8_t* sums) const {
    for (int64_t row = 0; row < kernel_h; ++row)
        for (int64_t o = 0; o < width; ++o) {
            int64_t sum = 0;
            for (int64_t quad = 0; quad < row_quads(); ++quad)
                sum += sum_of(weights + ((row * row_quads() + quad) * width + o) * 4);
            store_i32(sums, row * width + o, sum);
        }
}

void QconvPacking::split_quads(uint8_t* weights, int64_t width, uint8_t* ends) const {
    uint8_t* extra = ends + width / lanes * (kernel_h + 1) * 4;
    int64_t count = 0;
    for (int64_t vector = 0; vector < width / lanes; ++vector, ends += (kernel_h + 1) * 4) {
        uint8_t* quad = weights + vector * lanes * 4;
        store_i32(ends, 0, count);
        for (int64_t row = 0; row < kernel_h; ++row) {
            for (int64_t at = 0; at < row_quads(); ++at, quad += width * 4) {
                if (!quad_saturates(quad, lanes)) continue;
                store_i32(extra, 0, at / quads());
                store_i32(extra, 1, at % quads() * 4);
                std::memset(extra + 8, 0, static_cast<size_t>(lanes * 4));
                split_quad(quad, lanes, extra + 8);
                extra += 8 + lanes * 4;
                ++count;
            }
            store_i32(ends, row + 1, count);
        }
    }
}

int64_t QconvPacking::count_extra(const int8_t* source) const {
    if (!saturates || depthwise) return 0;
    if (!source) return kernel_h * row_quads() * vectors;
    std::vector<uint8_t> weights(weight_bytes(block()));
    int64_t most = 0;
    for (int64_t part = 0; part < parts(); ++part) {
        pack_weights(part, source, weights.data());
        const int64_t width = width_of(part % blocks());
        const int64_t quads_of_vectors = kernel_h * row_quads() * width / lanes;
        int64_t count = 0;
        for (int64_t quad = 0; quad < quads_of_vectors; ++quad)
            count += quad_saturates(weights.data() + quad * lanes * 4, lanes);
        most = std::max(most, count);
    }
    return most;
}

bool QconvPacking::splits_many(const int8_t* source) const {
    // A split quad costs a quad and its place; with int16, all cost half as much again.
    return saturates && !depthwise &&
           8 * count_extra(source) > 3 * kernel_h * row_quads() * vectors;
}

void QconvPacking::pack_depthwise(int64_t part, const int8_t* source, uint8_t* packed) const {
    const int64_t first = part * block(), count = std::min(block(), groups - first);
    uint8_t* const sums = packed + depthwise_bytes() * (saturates ? 2 : 1);
    std::memset(packed, 0, block_bytes());
    for (int64_t channel = 0; channel < count; ++channel) {
        const int64_t at = lanes < 4 ? channel  // where that channel is in the order of quads
                                     : channel % 16 / 4 * lanes + channel / 16 * 4 + channel % 4;
        const int8_t* weights = source + (first + channel) * o_stride;
        int64_t sum = 0;
        for (int64_t row = 0; row < kernel_h; ++row)
            for (int64_t column = 0; column < kernel_w; ++column, ++weights) {
                const int64_t quads = (row / 4 * kernel_w + column) * block() + at;
                packed[quads * 4 + row % 4] = static_cast<uint8_t>(*weights);
                sum += *weights;
            }
        store_i32(sums, channel, sum);
    }
    if (!saturates) return;
    const auto width = static_cast<int64_t>(depthwise_bytes() / 4);
    store_i32(sums, block(), quad_saturates(packed, width));
    split_quad(packed, width, packed + depthwise_bytes());
}

void QconvPacking::pack_part(int64_t part, const int8_t* source, uint8_t* packed) const {
    if (depthwise)
        return pack_depthwise(part, source, packed + static_cast<size_t>(part) * block_bytes());
    const int64_t width = width_of(part % blocks());
    packed += static_cast<size_t>(part) * block_bytes();
    uint8_t* const sums = packed + weight_bytes(width);
    pack_weights(part, source, packed);
    pack_sums(packed, width, sums);
    if (saturates) split_quads(packed, width, sums + kernel_h * width * 4);
}

}  // namespace hades
