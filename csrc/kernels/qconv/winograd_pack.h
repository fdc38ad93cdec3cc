#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/tile/conv_shape.h"

namespace hades {

// How int8 weights are transformed and rearranged for exact Winograd convolutions:
//   weights     int16 [plane][block][pair of i][o in block][2]
// or only rearranged, eight times smaller, to be transformed while it runs:
//   weights     int8 [block][pair of i][tap][o in block][2]
// and behind them:
//   sums        int32 [o]: x_zero times these is what the sums of x * w have too much
// Input channels are padded with zeros to pairs, output channels to whole vectors of `lanes`, so
// that a last block may be narrower.
struct WinogradPacking {
    int64_t ic, oc;
    int64_t lanes, block;
    bool late;  // they are transformed while it runs

    int64_t padded_ic() const { return round_up(ic, 2); }
    int64_t padded_oc() const { return round_up(oc, lanes); }
    int64_t parts() const { return ceil_div(oc, block); }
    size_t plane_words() const { return static_cast<size_t>(padded_oc() * padded_ic()); }
    size_t bytes() const;
    std::string layout() const;

    // Packs one block; parts may be packed concurrently.
    void pack_part(int64_t part, const int8_t* source, uint8_t* packed) const;

  private:
    size_t weight_bytes() const;
    void put(const int8_t* filter, int64_t i, int64_t o, int64_t width, uint8_t* block) const;
};

// How many input channels may be summed at a time, `most` or fewer, a multiple of `step` or all of
// them: so many that sums of bytes times these weights are known to stay within +-2^25, beyond
// which what is left of them is not enough. Of unknown weights (nullptr) the worst is assumed.
int64_t winograd_slice(const int8_t* weights, const ConvShape& shape, int64_t most, int64_t step);

}  // namespace hades
