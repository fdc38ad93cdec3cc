#pragma once
#include "simd/simd.h"

// The register tile that gemm and attention share:
//
//   acc[r][v] += a[r, i] * b[i, v]   for r < MR rows, v < NV vectors of columns, i < k
//
// Register budget     AVX-512 (32 zmm): 14 x 2 accumulators, 2 vectors of b, 1 or 2 broadcasts of a
//                     AVX2    (16 ymm):  6 x 2 accumulators, 2 vectors of b, 1 or 2 broadcasts of a
//                     scalar  (16 xmm):  3 x 4 accumulators, 4 of b
// Instructions per step of k, AVX-512: 28 vfmadd231ps (2 per cycle on ports 0 and 5: 14 cycles),
//                     14 vbroadcastss from memory and 2 loads of b (2 per cycle: 8 cycles).
//                     Embedded broadcasts would load every element of a twice and bind on the load
//                     ports.
// Latency             28 chains against 4 cycles x 2 ports = 8; the fewest that a caller should ask
//                     for is MR * NV = 8.
// Operands            b: one vector after the other, panels of kPanelVectors; a: k contiguous (rows
//                     anywhere), or the rows of the tile contiguous (k anywhere).
// Numerics            one fused multiply-add per step, in the order of k: the result depends
// neither
//                     on MR or NV, nor on where a row or column lies in its tile.
// Source              Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication",
//                     2008; sharing a broadcast between two vectors after BLIS's skx kernels.
namespace hades::HADES_ISA {

constexpr int kPanelVectors = kLanes > 1 ? 2 : 4;
constexpr int kTileRows = kLanes > 1 ? (kRegisters - kPanelVectors - 2) / kPanelVectors : 3;
constexpr int kPanelWidth = kPanelVectors * kLanes;

template <int MR, int NV>
struct Tile {
    F32 acc[MR][NV];
};

struct Left {
    const float* data;
    int64_t row, col;  // elements between rows, and between steps of k; one of them is 1
};

struct Right {
    const float* data;
    int64_t step, panel;  // elements between steps of k, and between panels
};

template <int MR, int NV>
HADES_INLINE void clear(Tile<MR, NV>& tile) {
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) tile.acc[r][v] = zero();
}

// Rows are three to a pointer, because base + {0, 1, 2} * index is what one address can say.
template <bool kRowsAdjacent, int MR, int NV>
HADES_INLINE void multiply(const Left& a, const Right& b, int64_t k, Tile<MR, NV>& tile) {
    constexpr int kGroups = (MR + 2) / 3;
    constexpr int kAhead = 8;  // steps of k that b is fetched ahead from the second-level cache
    const float* rows[kGroups];
#pragma GCC unroll 8
    for (int g = 0; g < kGroups; ++g) rows[g] = a.data + 3 * g * (kRowsAdjacent ? 1 : a.row);
    const int64_t a_step = kRowsAdjacent ? a.col : 1;
    const float* next = b.data;
#pragma GCC unroll 1
    for (int64_t i = 0; i < k; ++i) {
        F32 right[NV];
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) {
            const float* vector = next + v / kPanelVectors * b.panel + v % kPanelVectors * kLanes;
            right[v] = load(vector);
            if (kLanes > 1) __builtin_prefetch(vector + kAhead * b.step);
        }
#pragma GCC unroll 16
        for (int r = 0; r < MR; ++r) {
            const int64_t offset = kRowsAdjacent ? r % 3 : (r % 3) * a.row;
            const F32 left = set1(rows[r / 3][offset]);
#pragma GCC unroll 8
            for (int v = 0; v < NV; ++v) tile.acc[r][v] = fma(left, right[v], tile.acc[r][v]);
        }
#pragma GCC unroll 8
        for (int g = 0; g < kGroups; ++g) rows[g] += a_step;
        next += b.step;
    }
}

}  // namespace hades::HADES_ISA
