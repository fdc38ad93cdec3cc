#pragma once
#include "kernels/requantize/requantize.h"
#include "simd/bytes.h"
#include "simd/points.h"

// Formula          requantize and lookup, see requantize.h
// Registers        one vector and the constants
// Numerics         binding has tried the factor on all bytes, so that results are those of the
// table
namespace hades::HADES_ISA {

// A table of 256 bytes for a shuffle that knows 16, and gives 0 where an index has its high bit
// set. Entry k of part n is table[16 n + k] without table[16 (n - 1) + k], as bits: together, the
// parts up to that of a byte give its entry. Bytes from 128 on are those of a second half.
struct ShuffledTable {
    uint8_t parts[16][16];

    explicit ShuffledTable(const uint8_t* table) {
        for (int i = 0; i < 256; ++i) {
            const bool is_first = i % 128 < 16;
            parts[i / 16][i % 16] =
                static_cast<uint8_t>(is_first ? table[i] : table[i] ^ table[i - 16]);
        }
    }
};

// Below 128, a byte is counted down, and its high bit is set behind its part; bytes of the other
// half are below zero from the beginning, and stay there.
HADES_INLINE Bytes half_of(const uint8_t (*half)[16], Bytes x) {
    const Bytes step = broadcast_byte(16);
    Bytes y = lookup(half[0], x);
#pragma GCC unroll 8
    for (int i = 1; i < 8; ++i) {
        x = subtract_signed(x, step);
        y = exclusive_or(y, lookup(half[i], x));
    }
    return y;
}

HADES_INLINE Bytes entries_of(const ShuffledTable& table, Bytes x) {
    return exclusive_or(half_of(table.parts, x), half_of(table.parts + 8, toggle_high_bits(x)));
}

// As many whole vectors as there are.
static int64_t look_up(const uint8_t* x, uint8_t* y, int64_t n, const uint8_t* table) {
    constexpr int64_t kBytes = 4 * kLanes, kWorthwhile = 1024;  // a table takes some time to build
    int64_t i = 0;
    if (n < kWorthwhile) return i;
    const ShuffledTable shuffled(table);
    for (; i + kBytes <= n; i += kBytes)
        store_bytes(y + i, entries_of(shuffled, load_bytes(x + i)));
    return i;
}

void requantize_u8(const GridRun& run) {
    const auto* x = static_cast<const uint8_t*>(run.x);
    auto* y = static_cast<uint8_t*>(run.y);
    int64_t i = 0;
    const bool is_contiguous = run.x_stride == 1 && run.y_stride == 1;
    if (is_contiguous && run.factor == 0.0f) i = look_up(x, y, run.n, run.table);
    if (is_contiguous && run.factor != 0.0f) {
        const F32 factor = set1(run.factor), zero_point = set1(static_cast<float>(run.zero));
        for (; i < run.n; i += kLanes) {
            const int lanes = run.n - i < kLanes ? static_cast<int>(run.n - i) : kLanes;
            const F32 v = (load_byte_lanes(x + i, lanes) - zero_point) * factor;
            store_byte_lanes(y + i, nearest_point(v, run.y_zero), lanes);
        }
    }
    for (; i < run.n; ++i) y[i * run.y_stride] = run.table[x[i * run.x_stride]];
}

}  // namespace hades::HADES_ISA
