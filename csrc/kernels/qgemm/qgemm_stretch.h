#pragma once
#include "base/rounding.h"
#include "kernels/qgemm/qgemm.h"
#include "kernels/qgemm/qgemm_formats.h"

// A product is taken tiles by tiles, and of these a stretch of columns for all rows.
namespace hades::HADES_ISA {

// Adjacent tiles, packed or in a panel, from a block on.
struct Stretch {
    const uint8_t* weights;
    int64_t tile_bytes;  // of packed tiles, from one to the next
    int64_t first, blocks;
    int64_t k;
};

// Weights decoded ahead: of a block all tiles, then of the next, so that what a micro-kernel reads
// lies at constant distances. Formats are specialised where panels are made.
template <class Format>
constexpr bool kIsPanel = false;
constexpr int64_t kNoPanel = INT64_MAX;

constexpr int64_t kLine = 64;  // of the caches

// Of one stream, the first-level cache holds what comes next. Of several, processors keep more
// requests in flight from the second level.
template <int kTiles>
constexpr int64_t kPrefetchAhead = kTiles == 1 ? 6144 : 8192;
HADES_INLINE void prefetch_second_level(const void* p) { __builtin_prefetch(p, 0, 2); }
template <int kTiles>
HADES_INLINE void prefetch_stream(const uint8_t* line) {
    if constexpr (kTiles == 1)
        prefetch(line);
    else
        prefetch_second_level(line);
}

// What is read next. The only rows of a product read weights from memory, a constant distance
// behind their prefetches. Of several groups of rows, all but the first find weights in a cache;
// every group asks for a few lines per block of the tiles after these, so that memory does not wait
// for arithmetic. They are more than the first-level cache holds.
struct Ahead {
    const uint8_t* next_tiles;
    int64_t lines;  // per block; 0: a whole block, at a distance
};

template <class Format, int kTiles>
HADES_INLINE Ahead ahead_of_group(const Stretch& s, const uint8_t* next_tiles, int64_t group,
                                  int64_t groups) {
    if (groups == 1) return {next_tiles, 0};
    const int64_t lines = ceil_div(kTiles * block_bytes(Format::kFormat), kLine * groups);
    return {next_tiles + group * s.blocks * lines * kLine, lines};
}

// Behind the end of these tiles come the next, not the second of these.
template <class Format, int kTiles>
HADES_INLINE void prefetch_ahead(const Ahead& ahead, const Stretch& s, int64_t block) {
    constexpr int64_t kBytes = block_bytes(Format::kFormat);
    if (ahead.lines) {
        const uint8_t* line = ahead.next_tiles + block * ahead.lines * kLine;
        for (int64_t i = 0; i < ahead.lines; ++i) prefetch_second_level(line + i * kLine);
    } else if constexpr (!kIsPanel<Format>) {
        constexpr int64_t kBlocksAhead = kPrefetchAhead<kTiles> / kTiles / kBytes;
        const int64_t there = block + kBlocksAhead, past = there - s.blocks;
        const uint8_t* from =
            past < 0 ? s.weights + there * kBytes : ahead.next_tiles + past * kBytes;
        for (int t = 0; t < kTiles; ++t)
            for (int64_t line = 0; line < kBytes; line += kLine)
                prefetch_stream<kTiles>(from + t * s.tile_bytes + line);
    }
}

HADES_INLINE const uint8_t* row_at(const QgemmTilesArgs& a, int64_t i) {
    return a.a + (a.index ? a.index[i] : i) * a.a_row_bytes;
}
HADES_INLINE int64_t acc_stride(const QgemmTilesArgs& a) { return a.tiles * kTileRows; }
HADES_INLINE float* acc_at(const QgemmTilesArgs& a, int64_t row, int64_t tile) {
    return a.acc + row * acc_stride(a) + tile * kTileRows;
}

}  // namespace hades::HADES_ISA
