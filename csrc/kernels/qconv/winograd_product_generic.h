#pragma once
#include "kernels/qconv/winograd.h"
#include "kernels/tile/even_split.h"
#include "simd/words.h"

// The matrix products of an exact Winograd convolution: V vectors of output channels times P tiles
// in registers.
//   products[tile, o] = sum over pairs of channels of x[tile, pair] . w[pair, o], or more of it
// Per pair of input channels it loads V vectors of weights and broadcasts P pairs of x. Tiles are a
// constant distance apart, so every third tile's pointer is enough.
// Register budget: V * P sums, V weights, a broadcast, and the products before they are added where
// they are: 28 + 2 + 1 of 32 with VNNI, 24 + 2 + 1 + 1 with AVX-512 alone, 12 + 2 + 1 + 1 of 16
// with AVX2.
// Ports (Cascade Lake, AVX2): 12 vpmaddwd and as many vpaddd on three ports in 8 cycles, in which
// 192 products are made; with 8 loads they are the 32 instructions that 8 cycles issue.
// Numerics: modulo 2^32.
namespace hades::HADES_ISA {

template <int Count>
HADES_INLINE void keep_in_registers(const int16_t* (&pointers)[Count]) {
    // Without this the compiler derives one address per tile and spills them.
#pragma GCC unroll 16
    for (int k = 0; k < Count; ++k) asm("" : "+r"(pointers[k]));
}

HADES_INLINE const int16_t* after(const int16_t* x, int64_t bytes) {
    return reinterpret_cast<const int16_t*>(reinterpret_cast<const char*>(x) + bytes);
}

template <int V, int P>
HADES_INLINE void multiply_pairs(I32 (&sums)[V][P], const int16_t* x, int64_t pitch,
                                 const int16_t* w, int64_t pairs) {
    constexpr int kBases = (P + 2) / 3;
    constexpr int kLineWords = 32;
    constexpr int kAhead = 16 * V * kWords;
    const int16_t* base[kBases];
#pragma GCC unroll 16
    for (int k = 0; k < kBases; ++k) base[k] = x + 3 * k * pitch;
    int64_t distance = pitch * static_cast<int64_t>(sizeof(int16_t));
    const auto step = [&](int unroll) __attribute__((always_inline)) {
#pragma GCC unroll 8
        for (int u = 0; u < unroll; ++u) {
            keep_in_registers(base);
            asm("" : "+r"(distance), "+r"(w));  // one register, not one per offset of the loop
            const int16_t* weights = w + u * V * kWords;
            Words weight[V];
#pragma GCC unroll 2
            for (int v = 0; v < V; ++v) weight[v] = load_words(weights + v * kWords);
            if (u * V * kWords % kLineWords == 0)
#pragma GCC unroll 2
                for (int line = 0; line < V * kWords; line += kLineWords)
                    __builtin_prefetch(weights + line + kAhead);
#pragma GCC unroll 32
            for (int p = 0; p < P; ++p) {
                const Words value = pair(after(base[p / 3] + 2 * u, (p % 3) * distance));
#pragma GCC unroll 2
                for (int v = 0; v < V; ++v) sums[v][p] = dot_words(sums[v][p], value, weight[v]);
            }
        }
#pragma GCC unroll 16
        for (int k = 0; k < kBases; ++k) base[k] += 2 * unroll;
        w += unroll * V * kWords;
    };
#if defined(HADES_EMULATED)
    constexpr int kUnroll = 1;  // emulated steps are long, and compiled forever
#else
    constexpr int kUnroll = 64 / kLanes;
#endif
    for (; pairs >= kUnroll; pairs -= kUnroll) step(kUnroll);
    for (; pairs > 0; --pairs) step(1);
}

// `groups` times P tiles, from tile `first` on.
template <int V, int P>
static void multiply_groups(const WordProduct& t, int64_t first, int64_t groups) {
    const int64_t pitch = t.pitch, row = t.row, pairs = t.pairs;
    const bool adds = t.adds;
    const int16_t* w = t.w;
    const int16_t* x = t.x + first * pitch;
    int32_t* products = t.products + first * row;
    for (; groups > 0; --groups, x += P * pitch, products += P * row) {
        I32 sums[V][P];
#pragma GCC unroll 32
        for (int p = 0; p < P; ++p)
#pragma GCC unroll 2
            for (int v = 0; v < V; ++v)
                sums[v][p] = adds ? load(products + p * row + v * kLanes) : set1(int32_t{0});
        multiply_pairs<V, P>(sums, x, pitch, w, pairs);
#pragma GCC unroll 32
        for (int p = 0; p < P; ++p)
#pragma GCC unroll 2
            for (int v = 0; v < V; ++v) store(products + p * row + v * kLanes, sums[v][p]);
    }
}

// The widest groups for blocks of one vector and of two.
constexpr int kGroupTiles1 = kRegisters * 3 / 4;
// Where sums of products are one instruction, no register holds products on their way to sums.
constexpr int kGroupTiles2 = kDotSaturates ? kRegisters * 3 / 8 : 14;

using GroupsFn = void (*)(const WordProduct&, int64_t, int64_t);

// Indexed by the tiles of a group - 1.
template <int V, int Widest>
struct GroupsTable {
    GroupsFn run[Widest];
};

template <int V, int Widest, int P = 1>
constexpr void add_groups(GroupsTable<V, Widest>& table) {
    table.run[P - 1] = multiply_groups<V, P>;
    if constexpr (P < Widest) add_groups<V, Widest, P + 1>(table);
}

template <int V, int Widest>
constexpr GroupsTable<V, Widest> make_groups() {
    GroupsTable<V, Widest> table{};
    add_groups(table);
    return table;
}

static constexpr auto kGroups1 = make_groups<1, kGroupTiles1>();
static constexpr auto kGroups2 = make_groups<2, kGroupTiles2>();

// Groups of tiles for both kinds of blocks.
struct TileGroups {
    EvenSplit narrow, wide;

    explicit TileGroups(int64_t tiles) : narrow(tiles, kGroupTiles1), wide(tiles, kGroupTiles2) {}
};

HADES_INLINE void multiply_plane(const WordProduct& t, const TileGroups& groups, int64_t width) {
    const bool is_wide = width > kLanes;
    const GroupsFn* run = is_wide ? kGroups2.run : kGroups1.run;
    const EvenSplit& split = is_wide ? groups.wide : groups.narrow;
    run[split.size - 1](t, 0, split.even);
    if (split.larger > 0) run[split.size](t, split.even * split.size, split.larger);
}

}  // namespace hades::HADES_ISA
