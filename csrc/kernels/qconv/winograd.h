#pragma once
#include <cstdint>

#include "kernels/tile/winograd_tiles.h"

// Winograd's F(4x4, 3x3) of integers, exact: the points are 0, +-1, +-2 and infinity, and the
// fractions 1/24 of its transform of filters are taken out.
//
//   V = B^T x B      16 bits: |B^T| has rows of 10 at most, so |V| <= 100 * 255
//   U = G w G^T      16 bits: |G| has rows of 12 at most, so |U| <= 144 * 128
//   M = sum of V * U over input channels, and A^T M A = 576 * (the sum of x * w), modulo 2^32
//
//   G    6  0  0     B^T   4  0 -5  0  1  0     A^T   1  1  1  1  1  0
//       -4 -4 -4           0 -4 -4  1  1  0           0  1 -1  2 -2  0
//       -4  4 -4           0  4 -4 -1  1  0           0  1  1  4  4  0
//        1  2  4           0 -2 -1  2  1  0           0  1 -1  8 -8  4
//        1 -2  4           0  2 -1 -2  1  0
//        0  0  6           0  4  0 -5  0  1
//
// 576 is 64 * 9. 9 has an inverse modulo 2^32, and 64 is shifted out, which leaves the sum modulo
// 2^26: the sum itself where its magnitude is below 2^25. Where the sum of all channels can be
// more, which is known from the weights, it is made slice by slice: see winograd_slice. In which
// order numbers are added does not matter, nor that sums on the way overflow.
namespace hades {

constexpr uint32_t kWinogradInverse = 0x38e38e39;  // of 9, modulo 2^32
constexpr int kWinogradShift = 6;

constexpr int64_t kWinogradTaps = 9;
constexpr int64_t kLineBytes = 64;     // of a cache line
constexpr int64_t kWinogradPass = 64;  // output channels whose products are made at a time

// One of the 36 matrix products, for a block of output channels.
struct WordProduct {
    const int16_t* x;  // [tile][i], tiles `pitch` apart
    int64_t pitch;
    const int16_t* w;  // [pair of i][o in block][2]
    int64_t pairs;
    int32_t* products;  // [tile][o], tiles `row` apart
    int64_t row;
    bool adds;  // to the products that are there
};

}  // namespace hades
