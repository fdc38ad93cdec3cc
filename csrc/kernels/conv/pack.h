#pragma once
#include <cstddef>
#include <string>

#include "base/rounding.h"
#include "kernels/conv/conv.h"

namespace hades {

// Where the taps of packed weights are.
enum class WeightOrder {
    taps_of_block,    // before input channels
    taps_of_channel,  // after input channels: whole filters, for who transforms them
    planes,           // before blocks: the 36 planes of transformed 3x3 filters
};

// How OIHW weights are rearranged for a kernel:
//   [group][block of `block` output channels][tap][input channel][output channel in block]
// The output channels of a group are padded with zeros to whole vectors of `lanes`, so that a last
// block may be narrower. The depthwise layout is that of one block of all channels.
struct ConvPacking {
    int64_t groups, ic, oc, taps;
    int64_t block, lanes;
    WeightOrder order;
    int64_t joined = 1;  // groups of the weights in one of these, see join_groups

    int64_t blocks() const { return ceil_div(oc, block); }
    int64_t padded_oc() const { return round_up(oc, lanes); }
    size_t bytes() const {
        return static_cast<size_t>(groups * padded_oc() * taps * ic) * sizeof(float);
    }
    int64_t parts() const { return groups * blocks(); }
    std::string layout() const;

    // Packs one block of one group; parts may be packed concurrently.
    void pack_part(int64_t part, const float* source, float* packed) const;
    void pack_joined(int64_t first, int64_t width, const float* source, float* packed) const;
    void pack_planes(const float* source, int64_t width, int64_t count, float* packed) const;
};

// For each kernel, given the vector length that it wants.
ConvPacking direct_packing(const ConvShape& shape, int lanes);
ConvPacking winograd_packing(const ConvShape& shape, int lanes);
ConvPacking dot_packing(const ConvShape& shape, int lanes);
ConvPacking depthwise_packing(const ConvShape& shape, int lanes);

}  // namespace hades
