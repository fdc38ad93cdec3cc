#pragma once
#include "kernels/qgemm/qgemm_dots_generic.h"
#include "simd/word_sums.h"

// Weights decoded once for all rows, where products of bytes are of 16 bits.
//
// Values of 4 bits are signed bytes, at most 12, and activations unsigned, a + 128: four sums of
// two products are at most 4 * 2 * 12 * 255 = 24480 and fit 16 bits, with 8 instead of 12 eight of
// them: 8 * 2 * 8 * 255 = 32640. What brings them to 32 bits is shared, and 128 * (sum of the
// weights), which the panel holds, undoes the offset exactly.
// Values of 8 bits are words, and so are activations: two of their products would not fit.
//
// The micro-kernel multiplies a row by weights that it finds in the first-level cache: with two
// tiles, 4 sums of words, 4 of dwords and 4 of floats, of 16 registers.
namespace hades::HADES_ISA {

constexpr int kPanelTiles = 2;
constexpr int64_t kPanelStretch = 8;
template <class Format>
constexpr int64_t kPanelRows = kIsSmall<Format> ? 7 : 12;

// A block of a panel: float32 scales, int32 corrections of small formats, values.
template <class Format>
struct Panel {
    static constexpr WeightFormat kFormat = Format::kFormat;
    static constexpr bool kIsBytes = kIsSmall<Format>;
    static constexpr int kCorrectionsAt = kTileRows * 4;
    static constexpr int kValuesAt = kIsBytes ? 2 * kTileRows * 4 : kTileRows * 4;
    static constexpr int kValueBytes = kIsBytes ? 1 : 2;
    static constexpr int64_t kBytes = kValuesAt + kTileRows * kBlock * kValueBytes;
};

template <class Format>
constexpr int64_t kBlockBytes<Panel<Format>> = Panel<Format>::kBytes;
template <class Format>
constexpr bool kIsPanel<Panel<Format>> = true;

// Vectors of a part are so far apart: of 4 columns in bytes, of 2 in words.
constexpr int kNextVector = kParts * kVectorBytes;

// A sum of eight values fits a byte: it is at most 8 * 12.
template <class Format>
HADES_INLINE void decode_bytes(const uint8_t* block, int h, uint8_t* decoded) {
    constexpr int16_t kActivationOffset = 128;
    uint8_t* values = decoded + Panel<Format>::kValuesAt + h * kVectorBytes;
    Bytes sum = signed_weights<Format>(block, 0, h);
    store_bytes(values, sum);
#pragma GCC unroll 8
    for (int g = 1; g < kGroups; ++g) {
        const Bytes value = signed_weights<Format>(block, g, h);
        store_bytes(values + g * kNextVector, value);
        sum = add_bytes(sum, value);
    }
    store(reinterpret_cast<int32_t*>(decoded + Panel<Format>::kCorrectionsAt) + h * kLanes,
          sum_pairs(products(broadcast_byte(1), sum), -kActivationOffset));
}

// Bytes 0 and 2, or 1 and 3, of each dword, which are values + 128.
HADES_INLINE Words even_values(Bytes biased) {
    return (Words{biased.v} & set1_words(0xff)) - set1_words(128);
}
HADES_INLINE Words odd_values(Bytes biased) {
    return shift_right<8>(Words{biased.v}) - set1_words(128);
}

template <class Format>
HADES_INLINE void decode_words(const uint8_t* block, int h, uint8_t* decoded) {
    uint8_t* values = decoded + Panel<Format>::kValuesAt + h * kVectorBytes;
    for (int g = 0; g < kGroups; ++g, values += kNextVector) {
        const Bytes biased = weights<Format>(block, g, h);
        store_bytes(values, {even_values(biased).v});
        store_bytes(values + kGroups * kNextVector, {odd_values(biased).v});
    }
}

template <class Format>
HADES_INLINE void decode_block(const uint8_t* block, uint8_t* decoded) {
    for (int h = 0; h < kParts; ++h) {
        store(reinterpret_cast<float*>(decoded) + h * kLanes, Format::scales(block, h));
        if constexpr (Panel<Format>::kIsBytes)
            decode_bytes<Format>(block, h, decoded);
        else
            decode_words<Format>(block, h, decoded);
    }
}

// Activations of a stretch as the micro-kernel takes them.
template <class Format>
HADES_INLINE void prepare(const uint8_t* values, int64_t blocks, uint8_t* prepared) {
    for (int64_t b = 0; b < blocks; ++b, values += kBlock) {
        const Bytes biased = toggle_high_bits(load_bytes(values));
        if constexpr (Panel<Format>::kIsBytes) {
            store_bytes(prepared + b * kBlock, biased);
        } else {
            store_bytes(prepared + 2 * b * kBlock, {even_values(biased).v});
            store_bytes(prepared + (2 * b + 1) * kBlock, {odd_values(biased).v});
        }
    }
}

// The dot products of a block. Parts take turns, because one chain of additions waits for ports
// that the products keep busy.
template <class Format, int kTiles>
HADES_INLINE void byte_dots(const uint8_t* activations, const uint8_t* block,
                            I32 (&dots)[kTiles][kParts]) {
    using P = Panel<Format>;
    constexpr int kTogether = Format::kFormat == WeightFormat::mxfp4 ? 4 : 8;
    for (int t = 0; t < kTiles; ++t)
        for (int h = 0; h < kParts; ++h)
            dots[t][h] = load(reinterpret_cast<const int32_t*>(
                block + t * Panel<Format>::kBytes + P::kCorrectionsAt + h * kVectorBytes));
#pragma GCC unroll 2
    for (int first = 0; first < kGroups; first += kTogether) {
        Words sums[kTiles][kParts];
#pragma GCC unroll 8
        for (int g = first; g < first + kTogether; ++g) {
            const Bytes activation = dword(activations + 4 * g);
            for (int t = 0; t < kTiles; ++t)
                for (int h = 0; h < kParts; ++h) {
                    const auto* weights = reinterpret_cast<const int8_t*>(
                        block + t * Panel<Format>::kBytes + P::kValuesAt + h * kVectorBytes +
                        g * kNextVector);
                    if (g == first)
                        sums[t][h] = products(activation, weights);
                    else
                        add_products(sums[t][h], activation, weights);
                }
        }
        for (int t = 0; t < kTiles; ++t)
            for (int h = 0; h < kParts; ++h) dots[t][h] = dots[t][h] + sum_pairs(sums[t][h]);
    }
}

template <class Format, int kTiles>
HADES_INLINE void word_dots(const uint8_t* activations, const uint8_t* block,
                            I32 (&dots)[kTiles][kParts]) {
    for (int t = 0; t < kTiles; ++t)
        for (int h = 0; h < kParts; ++h) dots[t][h] = set1(int32_t{0});
#pragma GCC unroll 16
    for (int g = 0; g < 2 * kGroups; ++g) {
        const Words activation = {dword(activations + 4 * g).v};
        for (int t = 0; t < kTiles; ++t)
            for (int h = 0; h < kParts; ++h)
                add_word_products(dots[t][h], activation,
                                  reinterpret_cast<const int16_t*>(
                                      block + t * Panel<Format>::kBytes + Panel<Format>::kValuesAt +
                                      h * kVectorBytes + g * kNextVector));
    }
}

// acc [kTiles * 16] += a row times tiles of a panel, or is set to it by the first stretch.
template <class Format, int kTiles>
__attribute__((noinline)) static void multiply_row(const Stretch& s, const uint8_t* row,
                                                   float* acc) {
    constexpr int kActivationBytes = kBlock * Panel<Format>::kValueBytes;
    alignas(64) uint8_t prepared[kPanelStretch * kActivationBytes];
    prepare<Format>(row + s.first * kBlock, s.blocks, prepared);
    const float* scale = q8_scales(row, s.k) + s.first;
    F32 total[kTiles][kParts];
    for (int t = 0; t < kTiles; ++t)
        for (int h = 0; h < kParts; ++h)
            total[t][h] = s.first ? load(acc + t * kTileRows + h * kLanes) : zero();
    const uint8_t* block = s.weights;
    for (int64_t b = 0; b < s.blocks; ++b, block += kTiles * Panel<Format>::kBytes) {
        I32 dots[kTiles][kParts];
        if constexpr (Panel<Format>::kIsBytes)
            byte_dots<Format, kTiles>(prepared + b * kActivationBytes, block, dots);
        else
            word_dots<Format, kTiles>(prepared + b * kActivationBytes, block, dots);
        for (int t = 0; t < kTiles; ++t)
            for (int h = 0; h < kParts; ++h) {
                const auto* scales =
                    reinterpret_cast<const float*>(block + t * Panel<Format>::kBytes);
                total[t][h] = fused(to_f32(dots[t][h]), load(scales + h * kLanes) * set1(scale[b]),
                                    total[t][h]);
            }
    }
    for (int t = 0; t < kTiles; ++t)
        for (int h = 0; h < kParts; ++h) store(acc + t * kTileRows + h * kLanes, total[t][h]);
}

template <class Format, int kTiles>
HADES_INLINE void decode(const Stretch& packed, uint8_t* panel) {
    for (int64_t b = 0; b < packed.blocks; ++b)
        for (int t = 0; t < kTiles; ++t)
            decode_block<Format>(packed.weights + t * packed.tile_bytes + b * kBlockBytes<Format>,
                                 panel + (b * kTiles + t) * kBlockBytes<Panel<Format>>);
}

// Every row asks for its share of the packed stretch that is read next, so that memory does not
// wait for arithmetic.
template <class Format, int kTiles>
HADES_INLINE void times_stretch(const QgemmTilesArgs& a, const Stretch& packed, const uint8_t* next,
                                int64_t tile) {
    decode<Format, kTiles>(packed, a.panel);
    const Stretch panel = {a.panel, 0, packed.first, packed.blocks, a.k};
    const int64_t share =
        round_up(ceil_div(panel.blocks * block_bytes(Format::kFormat), a.m), kLine);
    for (int64_t i = 0; i < a.m; ++i) {
        for (int t = 0; t < kTiles; ++t)
            for (int64_t line = i * share; line < (i + 1) * share; line += kLine)
                prefetch(next + t * a.tile_bytes + line);
        multiply_row<Format, kTiles>(panel, row_at(a, i), acc_at(a, i, tile));
    }
}

}  // namespace hades::HADES_ISA
