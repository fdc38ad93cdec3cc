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
//                     ports. AVX2: 12 (6 cycles) and 8 (4 cycles), a prefetch and an addition: of
//                     24 places at 4 a cycle 22 are taken, which is why the loop is unrolled.
// Reached             .95 of the peak at k = 256, operands in the second-level cache; 70 to 130
//                     cycles a tile go to its beginning and end (k = 64: .84 AVX2, .87 AVX-512)
// Latency             28 chains against 4 cycles x 2 ports = 8; the fewest that a caller should ask
//                     for is MR * NV = 8.
// Operands            b: one vector after the other, panels of kPanelVectors; a: k contiguous (rows
//                     anywhere), or the rows of the tile contiguous (k anywhere).
// Numerics            one fused multiply-add per step, in the order of k: the result depends
//                     neither on MR or NV, nor on where a row or column lies in its tile.
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

// Steps of k in a turn of the loop: its counters and pointers, one in four of all instructions
// where a step has few multiply-adds, and fetching ahead are shared by that many.
constexpr int kSteps = kLanes == 8 ? 8 : 4;
constexpr int kAhead = 8;  // steps of k that b is fetched ahead from the second-level cache
constexpr int kLineFloats = 16;

// Rows are three to a pointer, because base + {0, 1, 2} * index is what one address can say.
template <bool kRowsAdjacent, int MR>
struct LeftRows {
    static constexpr int kGroups = (MR + 2) / 3;
    const float* groups[kGroups];
    int64_t row, col;

    explicit LeftRows(const Left& a)
        : row(kRowsAdjacent ? 1 : a.row), col(kRowsAdjacent ? a.col : 1) {
#pragma GCC unroll 8
        for (int g = 0; g < kGroups; ++g) groups[g] = a.data + 3 * g * row;
    }
    F32 broadcast(int r, int step) const { return set1(groups[r / 3][(r % 3) * row + step * col]); }
    void advance(int steps) {
#pragma GCC unroll 8
        for (int g = 0; g < kGroups; ++g) groups[g] += steps * col;
    }
};

// Fetches nothing. What another type with its method fetches comes while a tile is summed, a few
// lines a turn: more at once would have to wait for one another, and the tile for them.
struct FetchNothing {
    void fetch() {}
};

// What the compiler knows nothing of it adds up anew in an address, where it would keep row + 1,
// row + 2, ... in registers that it does not have.
template <class T>
HADES_INLINE void keep_in_register(T& value) {
    asm("" : "+r"(value));
}

// `kCount` steps of k from `right` on.
template <int kCount, bool kRowsAdjacent, int MR, int NV>
HADES_INLINE void multiply_steps(LeftRows<kRowsAdjacent, MR>& left, const Right& b, int64_t& ahead,
                                 const float*& right, Tile<MR, NV>& tile) {
#pragma GCC unroll 8
    for (int step = 0; step < kCount; ++step) {
        keep_in_register(right), keep_in_register(ahead);
        keep_in_register(kRowsAdjacent ? left.col : left.row);
        F32 vectors[NV];
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) {
            const float* vector = right + v / kPanelVectors * b.panel + v % kPanelVectors * kLanes;
            vectors[v] = load(vector);
            // once per line, where vectors are half of one
            if (kLanes > 1 && v * kLanes % kLineFloats == 0) __builtin_prefetch(vector + ahead);
        }
#pragma GCC unroll 16
        for (int r = 0; r < MR; ++r) {
            const F32 element = left.broadcast(r, step);
#pragma GCC unroll 8
            for (int v = 0; v < NV; ++v) accumulate(tile.acc[r][v], element, vectors[v]);
        }
        right += b.step;
    }
}

template <bool kRowsAdjacent, int MR, int NV, class Fetch = FetchNothing>
HADES_INLINE void multiply(const Left& a, const Right& b, int64_t k, Tile<MR, NV>& tile,
                           Fetch fetch = {}) {
    LeftRows<kRowsAdjacent, MR> left(a);
    const float* right = b.data;
    int64_t ahead = kAhead * b.step, i = k;
#pragma GCC unroll 1
    for (; i >= kSteps; i -= kSteps) {
        fetch.fetch();
        multiply_steps<kSteps>(left, b, ahead, right, tile);
        left.advance(kSteps);
    }
#pragma GCC unroll 1
    for (; i > 0; --i) {
        multiply_steps<1>(left, b, ahead, right, tile);
        left.advance(1);
    }
}

}  // namespace hades::HADES_ISA
