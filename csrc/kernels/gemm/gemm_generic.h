#pragma once
#include <cstring>

#include "base/rounding.h"
#include "kernels/gemm/gemm.h"
#include "kernels/tile/finish.h"
#include "kernels/tile/micro_kernel.h"
#include "kernels/tile/pack_panels.h"

namespace hades::HADES_ISA {

// Between blocks of k the sums of a tile wait in `partial`, [MR][NV] vectors. Every block is summed
// from zero: a long chain of additions would lose more.
struct TileArgs {
    Left a;
    Right b;
    int64_t k;
    float* partial;
    bool first, last;
    int columns;  // that exist, of NV * kLanes
    Finish finish;
};

using TileFn = void (*)(const TileArgs&);

template <int MR, int NV>
HADES_INLINE void add_tile(const float* memory, Tile<MR, NV>& tile) {
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) {
            tile.acc[r][v] = tile.acc[r][v] + load(memory + (r * NV + v) * kLanes);
        }
}

template <int MR, int NV>
HADES_INLINE void store_tile(float* memory, const Tile<MR, NV>& tile) {
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) store(memory + (r * NV + v) * kLanes, tile.acc[r][v]);
}

template <int MR, int NV>
HADES_INLINE void finish_in_registers(const Finish& f, Tile<MR, NV>& tile) {
    const F32 alpha = set1(f.alpha), floor = lower_bound_of(f);
    F32 bias[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) bias[v] = f.bias ? load(f.bias + v * kLanes) : zero();
    const float* residual = f.residual;
    float* y = f.y;
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r) {
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) {
            F32 value = max(floor, fma(tile.acc[r][v], alpha, bias[v]));
            if (residual) value = value + load(residual + v * kLanes);
            store(y + v * kLanes, value);
        }
        y += f.y_row;
        if (residual) residual += f.residual_row;
    }
}

template <int MR, int NV, bool kRowsAdjacent>
void run_tile(const TileArgs& t) {
    Tile<MR, NV> tile;
    clear(tile);
    multiply<kRowsAdjacent>(t.a, t.b, t.k, tile);
    if (!t.first) add_tile(t.partial, tile);
    if (!t.last) return store_tile(t.partial, tile);
    if (t.columns == NV * kLanes && finishes_in_registers(t.finish))
        return finish_in_registers(t.finish, tile);
    float memory[MR * NV * kLanes];
    store_tile(memory, tile);
    finish_rows(t.finish, memory, NV * kLanes, MR, t.columns);
}

// Few rows leave the pipeline short of chains; they take several panels at once.
constexpr int wide_vectors(int rows) {
    if (rows * kPanelVectors >= 8) return kPanelVectors;
    return rows * kPanelVectors >= 4 ? 2 * kPanelVectors : 8;
}

// Indexed by rows - 1, vectors - 1; up to a panel of vectors, and the wide tile of those rows.
struct TileTable {
    TileFn rows_apart[kTileRows][8], rows_adjacent[kTileRows][8];
};

template <int MR, int NV>
constexpr void add_tiles(TileTable& table) {
    if constexpr (NV <= kPanelVectors || NV == wide_vectors(MR)) {
        table.rows_apart[MR - 1][NV - 1] = run_tile<MR, NV, false>;
        table.rows_adjacent[MR - 1][NV - 1] = run_tile<MR, NV, true>;
    }
    if constexpr (NV < 8)
        add_tiles<MR, NV + 1>(table);
    else if constexpr (MR < kTileRows)
        add_tiles<MR + 1, 1>(table);
}

constexpr TileTable make_tile_table() {
    TileTable table{};
    add_tiles<1, 1>(table);
    return table;
}

static constexpr TileTable kTiles = make_tile_table();

// Copies one tile of a, so that it is read from consecutive memory.
static Left stage(const GemmBlockArgs& g, const Left& a, int rows, int64_t k, float* staged) {
    if (g.stage == StageA::none) return a;
    if (g.stage == StageA::rows) {
        const int64_t row = g.block_k + 16;  // one cache line more than a power of two
        for (int r = 0; r < rows; ++r)
            memcpy(staged + r * row, a.data + r * a.row, static_cast<size_t>(k) * sizeof(float));
        return {staged, row, 1};
    }
    for (int r = 0; r < rows; ++r) {
        const float* source = a.data + r * a.row;
        for (int64_t i = 0; i < k; ++i) staged[i * rows + r] = source[i * a.col];
    }
    return {staged, 1, rows};
}

// One tile of rows against all columns of the block, from step k0 of b on.
static void run_row_of_tiles(const GemmBlockArgs& g, TileArgs t, int rows, int64_t k0) {
    const TileFn* tiles = (t.a.col == 1 ? kTiles.rows_apart : kTiles.rows_adjacent)[rows - 1];
    const Finish finish = t.finish;
    int vectors = 0;
    for (int64_t column = 0; column < g.n; column += vectors * kLanes) {
        const int64_t left = g.n - column;
        vectors = wide_vectors(rows);
        if (left < vectors * kLanes)
            vectors = static_cast<int>(ceil_div(smaller(left, kPanelWidth), kLanes));
        t.columns = static_cast<int>(smaller(left, vectors * kLanes));
        const int width = vectors < kPanelVectors ? vectors * kLanes : kPanelWidth;
        t.b.step = g.b_packed ? width : g.b_step;
        t.b.data = g.b + column / kPanelWidth * t.b.panel + k0 * t.b.step;
        t.finish.y = finish.y + column;
        t.finish.bias = finish.bias ? finish.bias + column : nullptr;
        t.finish.residual = finish.residual ? finish.residual + column : nullptr;
        tiles[vectors - 1](t);
        t.partial += rows * vectors * kLanes;
    }
}

// Tiles of nearly equal height; k in blocks, so that the panels of a block stay in the second-level
// cache while all tiles pass over them.
static void run_block(const GemmBlockArgs& g) {
    const int64_t tiles = ceil_div(g.m, kTileRows);
    const int64_t padded_n = round_up(g.n, kLanes);
    float* staged = g.scratch;
    float* partial = staged + kTileRows * (g.block_k + 16);
    for (int64_t k0 = 0; k0 < g.k || k0 == 0; k0 += g.block_k) {
        TileArgs t;
        t.k = smaller(g.block_k, g.k - k0);
        t.first = k0 == 0;
        t.last = k0 + t.k >= g.k;
        for (int64_t tile = 0; tile < tiles; ++tile) {
            const int64_t row = g.m * tile / tiles;
            const int rows = static_cast<int>(g.m * (tile + 1) / tiles - row);
            const Left a{g.a + row * g.a_row + k0 * g.a_col, g.a_row, g.a_col};
            t.a = stage(g, a, rows, t.k, staged);
            t.finish = g.finish;
            t.finish.y += row * g.finish.y_row;
            if (g.finish.residual) t.finish.residual += row * g.finish.residual_row;
            t.partial = partial + row * padded_n;
            t.b.panel = g.b_panel;
            run_row_of_tiles(g, t, rows, g.b_first + k0);
        }
    }
}

static void reduce_slices(const GemmReduceArgs& r) {
    for (int64_t row = 0; row < r.m; ++row) {
        for (int64_t column = 0; column < r.n; column += kLanes) {
            const int columns = static_cast<int>(smaller(r.n - column, kLanes));
            const float* source = r.partial + row * r.row_stride + column;
            F32 total = load_n(source, columns);
            for (int64_t slice = 1; slice < r.slices; ++slice)
                total = total + load_n(source + slice * r.slice_stride, columns);
            float memory[kLanes];
            store(memory, total);
            Finish finish = r.finish;
            finish.y += row * finish.y_row + column;
            if (finish.bias) finish.bias += column;
            if (finish.residual) finish.residual += row * finish.residual_row + column;
            finish_rows(finish, memory, kLanes, 1, columns);
        }
    }
}

GemmKernel gemm_f32() {
    return {kTileRows, kLanes, kPanelVectors, run_block, pack_panels, reduce_slices};
}

}  // namespace hades::HADES_ISA
