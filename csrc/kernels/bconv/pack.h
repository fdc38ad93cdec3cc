#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/bconv/bconv.h"

namespace hades {

// How bfloat16 weights are rearranged for a kernel. Per group and block of output channels:
//   [run of taps][pair][channel of the block][2]: two elements of a run for each channel
// A run is a tap, its input channels padded with a zero to whole pairs; or all taps of a row, where
// taps are merged. Output channels are padded to whole vectors: a last block may be narrower.
struct BconvPacking {
    int64_t groups, ic, oc, kernel_h, kernel_w;
    int64_t lanes, vectors;
    bool merged_taps;
    int64_t o_stride, i_stride;  // of the source; taps are contiguous

    int64_t block() const { return lanes * vectors; }
    int64_t blocks() const { return ceil_div(oc, block()); }
    int64_t pairs() const { return ceil_div(merged_taps ? kernel_w * ic : ic, int64_t{2}); }
    int64_t runs() const { return merged_taps ? kernel_h : kernel_h * kernel_w; }
    int64_t width_of(int64_t block_index) const;  // of the block, in channels
    int64_t block_elements() const { return runs() * pairs() * block() * 2; }
    int64_t parts() const { return groups * blocks(); }
    size_t bytes() const { return static_cast<size_t>(parts() * block_elements()) * 2; }
    std::string layout() const;

    // Packs one block of one group; parts may be packed concurrently.
    void pack_part(int64_t part, const uint16_t* source, uint16_t* packed) const;
};

}  // namespace hades
