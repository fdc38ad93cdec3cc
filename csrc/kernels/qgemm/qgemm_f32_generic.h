#pragma once
#include "kernels/qgemm/qgemm.h"
#include "kernels/qgemm/qgemm_epilogue.h"
#include "kernels/qgemm/qgemm_formats.h"

// Weights of any format times float32 activations: blocks are decoded into a panel
// [32 columns][16 rows] of float32, exactly. bf16 and float32 with few rows are read in place.
namespace hades::HADES_ISA {

constexpr int kFloatRows = kLanes == 1 ? 1 : 4;
constexpr int64_t kPanelBlocks = 8;
static_assert(kPanelBlocks * kBlock * kTileRows * 4 <= kPanelBytes);

struct Bf16 {
    static constexpr WeightFormat kFormat = WeightFormat::bf16;

    // Columns 2 p and 2 p + 1 of kLanes rows lie in the halves of dwords.
    HADES_INLINE void pair(const uint8_t* block, int p, int part, F32* even, F32* odd) {
        const I32 both =
            load(reinterpret_cast<const int32_t*>(block) + p * kTileRows + part * kLanes);
        *even = bits_to_f32(shift_left<16>(both));
        *odd = bits_to_f32(shift_left<16>(shift_right<16>(both)));
    }
};

struct Plain {
    static constexpr WeightFormat kFormat = WeightFormat::f32;

    HADES_INLINE void pair(const uint8_t* block, int p, int part, F32* even, F32* odd) {
        const float* columns =
            reinterpret_cast<const float*>(block) + 2 * p * kTileRows + part * kLanes;
        *even = load(columns);
        *odd = load(columns + kTileRows);
    }
};

template <class Format>
HADES_INLINE void decode_floats(const uint8_t* block, float* panel) {
    for (int h = 0; h < kParts; ++h)
        for (int p = 0; p < kBlock / 2; ++p) {
            F32 even, odd;
            Format::pair(block, p, h, &even, &odd);
            store(panel + 2 * p * kTileRows + h * kLanes, even);
            store(panel + (2 * p + 1) * kTileRows + h * kLanes, odd);
        }
}

// Bytes that are not small are toggled from value + 128 to value.
template <class Format>
HADES_INLINE void decode_quantised(const uint8_t* block, const uint8_t* tile, float* panel) {
    for (int h = 0; h < kParts; ++h) {
        const F32 scales = Format::scales(block, h) * row_scales<Format>(tile, h);
        const I32 offset = set1(int32_t{kIsSmall<Format> ? Format::kOffset : 0});
        for (int g = 0; g < kGroups; ++g) {
            Bytes bytes = weights<Format>(block, g, h);
            if (!kIsSmall<Format>) bytes = toggle_high_bits(bytes);
            float* columns = panel + 4 * g * kTileRows + h * kLanes;
            store(columns, to_f32(lane_bytes<0>(bytes) - offset) * scales);
            store(columns + kTileRows, to_f32(lane_bytes<1>(bytes) - offset) * scales);
            store(columns + 2 * kTileRows, to_f32(lane_bytes<2>(bytes) - offset) * scales);
            store(columns + 3 * kTileRows, to_f32(lane_bytes<3>(bytes) - offset) * scales);
        }
    }
}

template <class Format>
constexpr bool kIsFloat =
    Format::kFormat == WeightFormat::bf16 || Format::kFormat == WeightFormat::f32;

template <class Format>
HADES_INLINE void decode_block(const uint8_t* block, const uint8_t* tile, float* panel) {
    if constexpr (kIsFloat<Format>)
        decode_floats<Format>(block, panel);
    else
        decode_quantised<Format>(block, tile, panel);
}

HADES_INLINE const float* floats_at(const QgemmTilesArgs& a, int64_t i, int64_t column) {
    const uint8_t* row = a.a + (a.index ? a.index[i] : i) * a.a_row_bytes;
    return reinterpret_cast<const float*>(row) + column;
}

// acc[kRows][16] of one tile += columns of the panel.
template <int kRows>
__attribute__((noinline)) static void add_columns(const float* panel, int64_t columns,
                                                  const float* const* rows, bool is_first,
                                                  float* acc, int64_t acc_stride) {
    F32 total[kRows][kParts];
    for (int r = 0; r < kRows; ++r)
        for (int h = 0; h < kParts; ++h)
            total[r][h] = is_first ? zero() : load(acc + r * acc_stride + h * kLanes);
    for (int64_t c = 0; c < columns; ++c)
        for (int h = 0; h < kParts; ++h) {
            const F32 weight = load(panel + c * kTileRows + h * kLanes);
            for (int r = 0; r < kRows; ++r)
                total[r][h] = fused(weight, set1(rows[r][c]), total[r][h]);
        }
    for (int r = 0; r < kRows; ++r)
        for (int h = 0; h < kParts; ++h) store(acc + r * acc_stride + h * kLanes, total[r][h]);
}

template <int kRows>
HADES_INLINE void rows_times_panel(const QgemmTilesArgs& a, int64_t i, int64_t tile,
                                   int64_t first_block, int64_t blocks) {
    const float* rows[kRows];
    for (int r = 0; r < kRows; ++r) rows[r] = floats_at(a, i + r, first_block * kBlock);
    const int64_t stride = a.tiles * kTileRows;
    add_columns<kRows>(reinterpret_cast<const float*>(a.panel), blocks * kBlock, rows,
                       first_block == 0, a.acc + i * stride + tile * kTileRows, stride);
}

template <class Format>
static void multiply_panels(const QgemmTilesArgs& a) {
    const int64_t blocks = a.k / kBlock;
    for (int64_t tile = 0; tile < a.tiles; ++tile) {
        const uint8_t* weight = a.weight + tile * a.tile_bytes;
        for (int64_t first = 0; first < blocks; first += kPanelBlocks) {
            const int64_t count = blocks - first < kPanelBlocks ? blocks - first : kPanelBlocks;
            for (int64_t b = 0; b < count; ++b)
                decode_block<Format>(weight + tile_header_bytes(Format::kFormat) +
                                         (first + b) * block_bytes(Format::kFormat),
                                     weight,
                                     reinterpret_cast<float*>(a.panel) + b * kBlock * kTileRows);
            int64_t i = 0;
            for (; i + kFloatRows <= a.m; i += kFloatRows)
                rows_times_panel<kFloatRows>(a, i, tile, first, count);
            for (; i < a.m; ++i) rows_times_panel<1>(a, i, tile, first, count);
        }
    }
}

// One row times kTiles tiles, whose chains of additions run side by side.
template <class Format, int kTiles>
static void stream(const QgemmTilesArgs& a) {
    constexpr int64_t kAhead = 4096, kBytes = block_bytes(Format::kFormat);
    const float* row = floats_at(a, 0, 0);
    F32 total[kTiles][kParts];
    for (int t = 0; t < kTiles; ++t)
        for (int h = 0; h < kParts; ++h) total[t][h] = zero();
    for (int64_t b = 0; b < a.k / kBlock; ++b, row += kBlock)
        for (int p = 0; p < kBlock / 2; ++p)
            for (int t = 0; t < kTiles; ++t) {
                const uint8_t* block = a.weight + t * a.tile_bytes + b * kBytes;
                prefetch(block + kAhead + p * (kBytes / (kBlock / 2)));
                for (int h = 0; h < kParts; ++h) {
                    F32 even, odd;
                    Format::pair(block, p, h, &even, &odd);
                    total[t][h] = fused(even, set1(row[2 * p]), total[t][h]);
                    total[t][h] = fused(odd, set1(row[2 * p + 1]), total[t][h]);
                }
            }
    for (int t = 0; t < kTiles; ++t)
        for (int h = 0; h < kParts; ++h) store(a.acc + t * kTileRows + h * kLanes, total[t][h]);
}

template <class Format>
static void floats_times_tiles(const QgemmTilesArgs& a) {
    bool is_done = false;
    if constexpr (kIsFloat<Format>) {
        is_done = a.m == 1;
        if (is_done && a.tiles == kTilesAtOnce) stream<Format, kTilesAtOnce>(a);
        if (is_done && a.tiles == 1) stream<Format, 1>(a);
    }
    if (!is_done) multiply_panels<Format>(a);
    finish(a);
}

void qgemm_mxfp4_f32(const QgemmTilesArgs& a) { floats_times_tiles<Mxfp4>(a); }
void qgemm_int4_g32_f32(const QgemmTilesArgs& a) { floats_times_tiles<Int4G32>(a); }
void qgemm_int8_g32_f32(const QgemmTilesArgs& a) { floats_times_tiles<Int8G32>(a); }
void qgemm_int8_row_f32(const QgemmTilesArgs& a) { floats_times_tiles<Int8Row>(a); }
void qgemm_bf16_f32(const QgemmTilesArgs& a) { floats_times_tiles<Bf16>(a); }
void qgemm_f32_f32(const QgemmTilesArgs& a) { floats_times_tiles<Plain>(a); }

}  // namespace hades::HADES_ISA
