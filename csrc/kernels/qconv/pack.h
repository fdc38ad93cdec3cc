#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/qconv/qconv.h"

namespace hades {

// How int8 weights are rearranged for a kernel. Per group and block of output channels:
//   weights    int8 [run of taps][quad][vector][lane][4]: four bytes of a run for each channel
//   row sums   int32 [row of taps][vector][lane]: x_zero times these is what the sum has too much
// A run is a tap, its input channels padded with zeros to a whole number of quads; or all taps of a
// row, where taps are merged. Output channels are padded to whole vectors: a last block may be
// narrower.
struct QconvPacking {
    int64_t groups, ic, oc, kernel_h, kernel_w;
    int64_t lanes, vectors;
    bool merged_taps;
    int64_t o_stride, i_stride;  // of the source; taps are contiguous

    int64_t block() const { return lanes * vectors; }
    int64_t blocks() const { return ceil_div(oc, block()); }
    int64_t runs() const { return merged_taps ? kernel_h : kernel_h * kernel_w; }
    int64_t quads() const { return ceil_div(merged_taps ? kernel_w * ic : ic, int64_t{4}); }
    int64_t width_of(int64_t block_index) const;  // of the block, in channels
    size_t weight_bytes(int64_t width) const;
    size_t block_bytes(int64_t width) const;
    size_t group_bytes() const;
    size_t bytes() const { return static_cast<size_t>(groups) * group_bytes(); }
    int64_t parts() const { return groups * blocks(); }
    std::string layout() const;

    // Packs one block of one group; parts may be packed concurrently.
    void pack_part(int64_t part, const int8_t* source, uint8_t* packed) const;
};

}  // namespace hades
