#include "kernels/bconv/pack.h"

#include <algorithm>

namespace hades {

int64_t BconvPacking::width_of(int64_t block_index) const {
    return std::min(block(), round_up(oc - block_index * block(), lanes));
}

std::string BconvPacking::layout() const {
    std::string name = "bconv";
    for (const int64_t number : {groups, ic, oc, kernel_h, kernel_w, lanes, vectors,
                                 int64_t{merged_taps}, o_stride, i_stride})
        name += ":" + std::to_string(number);
    return name;
}

void BconvPacking::pack_part(int64_t part, const uint16_t* source, uint16_t* packed) const {
    const int64_t group = part / blocks(), index = part % blocks();
    const int64_t width = width_of(index), first = index * block();
    const int64_t count = std::min(width, oc - first);
    packed += part * block_elements();
    source += (group * oc + first) * o_stride;
    std::fill(packed, packed + runs() * pairs() * width * 2, uint16_t{0});
    for (int64_t o = 0; o < count; ++o)
        for (int64_t row = 0; row < kernel_h; ++row)
            for (int64_t column = 0; column < kernel_w; ++column) {
                const int64_t run = merged_taps ? row : row * kernel_w + column;
                const int64_t begin = merged_taps ? column * ic : 0;
                const uint16_t* tap = source + o * o_stride + row * kernel_w + column;
                uint16_t* to = packed + (run * pairs() * width + o) * 2;
                for (int64_t i = 0; i < ic; ++i) {
                    const int64_t at = begin + i;
                    to[at / 2 * width * 2 + at % 2] = tap[i * i_stride];
                }
            }
}

}  // namespace hades
