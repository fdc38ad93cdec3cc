#pragma once
#include "kernels/conv/tile_generic.h"
#include "kernels/conv/winograd.h"

// The matrix products of a Winograd convolution, by the micro-kernel of the direct one with one
// tap: products[tile, o] (+)= x[tile, i] * w[i, o].
namespace hades::HADES_ISA {

// `groups` times P tiles, from tile `first` on.
template <int V, int P>
static void multiply_groups(const PlaneProduct& t, int64_t first, int64_t groups) {
    const int64_t pitch = t.pitch, row = t.row, channels = t.channels;
    const bool accumulate = t.accumulate;
    const float* w = t.w;
    const float* x = t.x + first * pitch;
    float* products = t.products + first * row;
    for (; groups > 0; --groups, x += P * pitch, products += P * row) {
        F32 acc[V][P];
#pragma GCC unroll 32
        for (int p = 0; p < P; ++p)
#pragma GCC unroll 2
            for (int v = 0; v < V; ++v)
                acc[v][p] = accumulate ? load(products + p * row + v * kLanes) : zero();
        multiply<V, P>(acc, x, pitch, w, channels);
#pragma GCC unroll 32
        for (int p = 0; p < P; ++p)
#pragma GCC unroll 2
            for (int v = 0; v < V; ++v) store(products + p * row + v * kLanes, acc[v][p]);
    }
}

using GroupsFn = void (*)(const PlaneProduct&, int64_t, int64_t);

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

static constexpr auto kGroups1 = make_groups<1, kPixels1>();
static constexpr auto kGroups2 = make_groups<2, kPixels2>();

// Groups of tiles for blocks of one vector and of two.
struct TileGroups {
    EvenSplit narrow, wide;

    explicit TileGroups(int64_t tiles) : narrow(tiles, kPixels1), wide(tiles, kPixels2) {}
};

HADES_INLINE void multiply_plane(const PlaneProduct& t, const TileGroups& groups, int64_t width) {
    const bool wide = width > kLanes;
    const GroupsFn* run = wide ? kGroups2.run : kGroups1.run;
    const EvenSplit& split = wide ? groups.wide : groups.narrow;
    run[split.size - 1](t, 0, split.even);
    if (split.larger > 0) run[split.size](t, split.even * split.size, split.larger);
}

}  // namespace hades::HADES_ISA
