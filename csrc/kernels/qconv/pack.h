#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/qconv/qconv.h"

namespace hades {

// How int8 weights are rearranged for a kernel. Per group and block of output channels:
//   weights     int8 [run of taps][quad][vector][lane][4]: four bytes of a run for each channel
//   row sums    int32 [row of taps][vector][lane]: x_zero times these is what the sum has too much
//   extra ends  int32 [vector][row of taps + 1]: how many of the extra quads come before that row
//   extra       [2 x int32: column of the tap, byte of the run; int8 [lane][4]] each
// A run is a tap, its input channels padded with zeros to a whole number of quads; or all taps of a
// row, where taps are merged. Output channels are padded to whole vectors: a last block may be
// narrower.
// The last two are for kernels whose products saturate, which add neighbouring products in 16 bits.
// Quads of a vector in which two weights are too large together are split into halves, which are
// not: one takes their place, the other is an extra quad.
//
// Where many quads are such ones, weights are wide: int16 [run of taps][pair][vector][lane][2], for
// bytes that are staged as int16, and no extra quads.
//
// Depthwise, per block of channels, all of which are groups:
//   weights     int8 [four of rows of taps][column of taps][vector][lane][4 rows]; the channels of
//               a block in the order of column_of in simd/interleave.h
//   halves      as many, where products saturate: of the weights that do
//   sums        int32 [channel]
//   splits      int32: whether halves are anything but zeros, where products saturate
struct QconvPacking {
    int64_t groups, ic, oc, kernel_h, kernel_w;
    int64_t lanes, vectors;
    bool merged_taps, saturates, depthwise, wide;
    int64_t o_stride, i_stride;  // of the source; taps are contiguous
    int64_t most_extra;          // quads of the vectors of a block, see count_extra

    int64_t block() const { return lanes * vectors; }
    int64_t blocks() const { return ceil_div(depthwise ? groups : oc, block()); }
    int64_t row_runs() const { return merged_taps ? 1 : kernel_w; }
    int64_t quads() const { return ceil_div(merged_taps ? kernel_w * ic : ic, wide ? 2 : 4); }
    int64_t row_quads() const { return row_runs() * quads(); }
    int64_t width_of(int64_t block_index) const;  // of the block, in channels
    size_t weight_bytes(int64_t width) const;
    size_t block_bytes() const;
    size_t group_bytes() const { return static_cast<size_t>(blocks()) * block_bytes(); }
    int64_t parts() const { return depthwise ? blocks() : groups * blocks(); }
    size_t bytes() const { return static_cast<size_t>(parts()) * block_bytes(); }
    std::string layout() const;

    // The most extra quads that a block of these weights needs; of unknown ones (nullptr) all.
    int64_t count_extra(const int8_t* source) const;

    // Whether so many quads would be split that int16 is faster.
    bool splits_many(const int8_t* source) const;

    // Packs one block of one group; parts may be packed concurrently.
    void pack_part(int64_t part, const int8_t* source, uint8_t* packed) const;

  private:
    size_t depthwise_bytes() const;  // of the weights of a block
    void pack_depthwise(int64_t part, const int8_t* source, uint8_t* packed) const;
    void put(uint8_t* to, int64_t at, int64_t width, int8_t weight) const;
    int64_t sum_of(const uint8_t* quad) const;
    void pack_weights(int64_t part, const int8_t* source, uint8_t* packed) const;
    void pack_sums(const uint8_t* weights, int64_t width, uint8_t* sums) const;
    void split_quads(uint8_t* weights, int64_t width, uint8_t* ends) const;
};

}  // namespace hades
