#pragma once
#include <cstdint>

#include "base/macros.h"
#include "base/rounding.h"

// Quantised weight matrices [n, k] as the kernels read them. Packed, 16 rows are a tile: a tile
// holds blocks of 32 columns, one after the other, and in a block the 16 rows are interleaved, so
// that a dword of a vector belongs to one row. One layout for all tiers ("r16k32").
//
//   format      scales of a block      values of a block                           bytes
//   mxfp4       16 E8M0                4 vectors of nibbles, index into 0 .5 .. 6  272
//   int4_g32    16 float16             4 vectors of nibbles, value + 8             288
//   int8_g32    16 float16             8 vectors of bytes, value + 128             544
//   int8_row    16 float32 per tile    8 vectors of bytes, value + 128             512
//   bf16                               [16 pairs of columns][16 rows][2]           1024
//   f32                                [32 columns][16 rows]                       2048
//
// Byte 4 row + b of byte vector g is column 4 g + b. Byte 4 row + b of nibble vector j holds column
// 4 j + b in its low half and column 16 + 4 j + b in its high half.
namespace hades {

constexpr int kTileRows = 16;
constexpr int kBlock = 32;

enum class WeightFormat : int32_t { mxfp4, int4_g32, int8_g32, int8_row, bf16, f32 };
constexpr int kWeightFormats = 6;

HADES_INLINE constexpr const char* name_of(WeightFormat format) {
    constexpr const char* names[kWeightFormats] = {"mxfp4",    "int4_g32", "int8_g32",
                                                   "int8_row", "bf16",     "f32"};
    return names[static_cast<int>(format)];
}

HADES_INLINE constexpr int64_t block_bytes(WeightFormat format) {
    constexpr int64_t bytes[kWeightFormats] = {272, 288, 544, 512, 1024, 2048};
    return bytes[static_cast<int>(format)];
}

// In front of the blocks of a tile.
HADES_INLINE constexpr int64_t tile_header_bytes(WeightFormat format) {
    return format == WeightFormat::int8_row ? kTileRows * 4 : 0;
}

HADES_INLINE constexpr int64_t tile_bytes(WeightFormat format, int64_t k) {
    return tile_header_bytes(format) + k / kBlock * block_bytes(format);
}

HADES_INLINE constexpr int64_t tiles_of(int64_t n) { return ceil_div(n, kTileRows); }

HADES_INLINE constexpr int64_t packed_bytes(WeightFormat format, int64_t n, int64_t k) {
    return tiles_of(n) * tile_bytes(format, k);
}

// Packing clamps E8M0 to these: within them, products with scales of activations that matter are
// normal numbers, which cost no more than others.
constexpr uint8_t kLeastE8m0 = 27, kLargestE8m0 = 227;

// The sixteen values of FP4 (E2M1), doubled so that they are whole, and shifted to be positive.
constexpr int kMxfp4Offset = 12, kInt4Offset = 8, kInt8Offset = 128;
constexpr uint8_t kMxfp4Doubled[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};

}  // namespace hades
