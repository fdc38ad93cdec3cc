#include "kernels/qconv/pack.h"

#include <algorithm>
#include <cstring>

namespace hades {

int64_t QconvPacking::width_of(int64_t block_index) const {
    return std::min(block(), round_up(oc - block_index * block(), lanes));
}

size_t QconvPacking::weight_bytes(int64_t width) const {
    return static_cast<size_t>(runs() * quads() * width * 4);
}

size_t QconvPacking::block_bytes(int64_t width) const {
    return weight_bytes(width) + static_cast<size_t>(kernel_h * width) * sizeof(int32_t);
}

size_t QconvPacking::group_bytes() const {
    return static_cast<size_t>(blocks() - 1) * block_bytes(block()) +
           block_bytes(width_of(blocks() - 1));
}

std::string QconvPacking::layout() const {
    std::string name = "qconv";
    for (const int64_t number : {groups, ic, oc, kernel_h, kernel_w, lanes, vectors,
                                 int64_t{merged_taps}, o_stride, i_stride})
        name += ":" + std::to_string(number);
    return name;
}

void QconvPacking::pack_part(int64_t part, const int8_t* source, uint8_t* packed) const {
    const int64_t group = part / blocks(), index = part % blocks();
    const int64_t width = width_of(index), first = index * block();
    const int64_t count = std::min(width, oc - first);
    packed += static_cast<size_t>(group) * group_bytes() +
              static_cast<size_t>(index) * block_bytes(block());
    source += (group * oc + first) * o_stride;
    uint8_t* const sums = packed + weight_bytes(width);
    std::memset(packed, 0, block_bytes(width));
    const int64_t row_bytes = (merged_taps ? 1 : kernel_w) * quads() * width * 4;
    for (int64_t o = 0; o < count; ++o) {
        for (int64_t row = 0; row < kernel_h; ++row) {
            int32_t sum = 0;
            for (int64_t column = 0; column < kernel_w; ++column) {
                const int64_t run = merged_taps ? 0 : column;
                const int64_t base = merged_taps ? column * ic : 0;
                for (int64_t i = 0; i < ic; ++i) {
                    const int8_t weight =
                        source[o * o_stride + i * i_stride + row * kernel_w + column];
                    const int64_t at = base + i;
                    const int64_t quad = run * quads() + at / 4;
                    packed[row * row_bytes + (quad * width + o) * 4 + at % 4] =
                        static_cast<uint8_t>(weight);
                    sum += weight;
                }
            }
            std::memcpy(sums + (row * width + o) * 4, &sum, sizeof sum);
        }
    }
}

}  // namespace hades
