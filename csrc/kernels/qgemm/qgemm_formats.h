#pragma once
#include "formats/weight_format.h"
#include "simd/bytes.h"

// How each format is read, kLanes rows of a tile at a time (part h of kParts): the block's eight
// byte vectors, and the scale of each row.
namespace hades::HADES_ISA {

// Values of nibbles as int8: those of FP4 doubled.
constexpr uint8_t kMxfp4Signed[16] = {0, 1,   2,   3,   4,   6,   8,   12,
                                      0, 255, 254, 253, 252, 250, 248, 244};
constexpr uint8_t kInt4Signed[16] = {248, 249, 250, 251, 252, 253, 254, 255,
                                     0,   1,   2,   3,   4,   5,   6,   7};

constexpr int kParts = kTileRows / kLanes;
constexpr int kVectorBytes = kLanes * 4;
constexpr int kGroups = kBlock / 4;  // byte vectors of a block

struct Mxfp4 {
    static constexpr WeightFormat kFormat = WeightFormat::mxfp4;
    static constexpr bool kIsNibbles = true;
    static constexpr int kValuesAt = 16;
    static constexpr int kOffset = kMxfp4Offset;

    HADES_INLINE Bytes expand(Bytes nibbles) { return lookup(kMxfp4Doubled, nibbles); }
    HADES_INLINE Bytes expand_signed(Bytes nibbles) { return lookup(kMxfp4Signed, nibbles); }
    HADES_INLINE F32 scales(const uint8_t* block, int part) {
        const I32 exponents = load_u8_i32(block + part * kLanes) - set1(int32_t{1});
        return bits_to_f32(shift_left<23>(exponents));
    }
};

struct Int4G32 {
    static constexpr WeightFormat kFormat = WeightFormat::int4_g32;
    static constexpr bool kIsNibbles = true;
    static constexpr int kValuesAt = 32;
    static constexpr int kOffset = kInt4Offset;

    HADES_INLINE Bytes expand(Bytes nibbles) { return nibbles; }
    HADES_INLINE Bytes expand_signed(Bytes nibbles) { return lookup(kInt4Signed, nibbles); }
    HADES_INLINE F32 scales(const uint8_t* block, int part) {
        return load_f16(reinterpret_cast<const uint16_t*>(block) + part * kLanes);
    }
};

struct Int8G32 {
    static constexpr WeightFormat kFormat = WeightFormat::int8_g32;
    static constexpr bool kIsNibbles = false;
    static constexpr int kValuesAt = 32;
    static constexpr int kOffset = kDotOffset;

    HADES_INLINE F32 scales(const uint8_t* block, int part) { return Int4G32::scales(block, part); }
};

struct Int8Row {
    static constexpr WeightFormat kFormat = WeightFormat::int8_row;
    static constexpr bool kIsNibbles = false;
    static constexpr int kValuesAt = 0;
    static constexpr int kOffset = kDotOffset;

    HADES_INLINE F32 scales(const uint8_t*, int) { return set1(1.0f); }
};

template <class Format>
constexpr int64_t kBlockBytes = block_bytes(Format::kFormat);
template <class Format>
constexpr bool kIsSmall =
    Format::kFormat == WeightFormat::mxfp4 || Format::kFormat == WeightFormat::int4_g32;

// What the rows of a finished tile are multiplied by.
template <class Format>
HADES_INLINE F32 row_scales(const uint8_t* tile, int part) {
    if constexpr (Format::kFormat == WeightFormat::int8_row)
        return load(reinterpret_cast<const float*>(tile) + part * kLanes);
    return set1(1.0f);
}

// Vector g of the nibbles of a block.
template <class Format>
HADES_INLINE Bytes nibbles_of(const uint8_t* block, int g, int part) {
    const uint8_t* values = block + Format::kValuesAt + part * kVectorBytes;
    const Bytes both = load_bytes(values + g % 4 * kParts * kVectorBytes);
    return g < 4 ? low_nibbles(both) : high_nibbles(both);
}

// Byte vector g of a block.
template <class Format>
HADES_INLINE Bytes weights(const uint8_t* block, int g, int part) {
    if constexpr (Format::kIsNibbles)
        return Format::expand(nibbles_of<Format>(block, g, part));
    else
        return load_bytes(block + Format::kValuesAt + (g * kParts + part) * kVectorBytes);
}

// The same without offset.
template <class Format>
HADES_INLINE Bytes signed_weights(const uint8_t* block, int g, int part) {
    return Format::expand_signed(nibbles_of<Format>(block, g, part));
}

}  // namespace hades::HADES_ISA
