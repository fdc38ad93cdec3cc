#include <cstring>

#include "kernels/layout/layout_generic.h"

namespace hades::avx2 {
namespace {

constexpr int kTile = 16;

HADES_INLINE __m128i load_some(const uint8_t* p, int n) {
    if (n == kTile) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    uint8_t bytes[kTile] = {};
    memcpy(bytes, p, static_cast<size_t>(n));
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}

HADES_INLINE void store_some(uint8_t* p, __m128i a, int n) {
    if (n == kTile) return _mm_storeu_si128(reinterpret_cast<__m128i*>(p), a);
    uint8_t bytes[kTile];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes), a);
    memcpy(p, bytes, static_cast<size_t>(n));
}

}  // namespace

// Tiles of 16 x 16 bytes, each a register of 16 bytes per row.
void transpose_b1(const CopyBlockArgs& a) {
    for (int64_t row = 0; row < a.rows; row += kTile) {
        const int rows = static_cast<int>(a.rows - row < kTile ? a.rows - row : kTile);
        for (int64_t column = 0; column < a.columns; column += kTile) {
            const int columns =
                static_cast<int>(a.columns - column < kTile ? a.columns - column : kTile);
            const auto* x = static_cast<const uint8_t*>(a.x) + row + column * a.x_column;
            auto* y = static_cast<uint8_t*>(a.y) + row * a.y_row + column;
            __m128i tile[kTile];
            for (int i = 0; i < kTile; ++i)
                tile[i] = i < columns ? load_some(x + i * a.x_column, rows) : _mm_setzero_si128();
            transpose(tile);
            for (int i = 0; i < rows; ++i) store_some(y + i * a.y_row, tile[i], columns);
        }
    }
}

}  // namespace hades::avx2
