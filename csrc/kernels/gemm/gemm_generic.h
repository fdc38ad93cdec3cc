#pragma once
#include <cstring>

#include "base/rounding.h"
#include "kernels/gemm/gemm.h"
#include "kernels/tile/finish.h"
#include "kernels/tile/micro_kernel.h"
#include "kernels/tile/pack_panels.h"

namespace hades::HADES_ISA {

// What is read after this row of tiles, as it lies in memory now: the rows of a of the next one,
// `a_columns` of each, and of every panel of b a share of the next block of k, `b_columns` floats
// from `b_offset` on. Other caches than the first two are too far to read from in time.
struct NextReads {
    const float* a;
    int64_t a_row, a_columns;
    int64_t b_offset, b_columns;
    int64_t columns;  // of the row of tiles: each asks for its part of a
};

// A tile of rows against `columns` columns, tile after tile; the arguments move along, so that
// nothing is copied that was just written in other pieces. Between blocks of k the sums of a tile
// wait in `partial`, [MR][NV] vectors. Every block is summed from zero: a long chain of additions
// would lose more.
struct TileArgs {
    Left a;
    Right b;
    int64_t k;
    float* partial;
    bool first, last;
    int64_t column, columns;
    Finish finish;
    NextReads next;
};

using TileFn = void (*)(TileArgs&);

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

// While a tile is summed, lines are brought to the second-level cache, two at a time: those of y
// and of the residual that it will touch, then its share of what is read next.
template <int MR, int NV>
class FetchAhead {
  public:
    explicit FetchAhead(const TileArgs& t) {
        const Finish& f = t.finish;
        for (int column = 0; t.last && column < NV * kLanes; column += kLineFloats) {
            add(f.y + column, f.y_row, MR);
            if (f.residual) add(f.residual + column, f.residual_row, MR);
        }
        const NextReads& next = t.next;
        const int64_t end = smaller(t.column + NV * kLanes, next.columns);
        for (int64_t r = MR * t.column / next.columns; r < MR * end / next.columns; ++r)
            add(next.a + r * next.a_row, kLineFloats, ceil_div(next.a_columns, kLineFloats));
        add(t.b.data + next.b_offset, kLineFloats, ceil_div(next.b_columns, kLineFloats));
    }

    void fetch() {
        if (kLanes < 8) return;
        if (left_ <= 0) {
            if (taken_ == added_) return;
            const Lines& lines = lines_[taken_++];
            at_ = lines.first, step_ = lines.step, left_ = lines.count;
        }
        __builtin_prefetch(at_, 0, 2), __builtin_prefetch(at_ + step_, 0, 2);
        at_ += 2 * step_, left_ -= 2;
    }

  private:
    struct Lines {
        const float* first;
        int64_t step, count;
    };

    void add(const float* first, int64_t step, int64_t count) {
        if (count > 0) lines_[added_++] = {first, step, count};
    }

    Lines lines_[2 * NV + MR + 1];
    int added_ = 0, taken_ = 0;
    const float* at_ = nullptr;
    int64_t step_ = 0, left_ = 0;
};

template <int MR, int NV>
HADES_INLINE void finish_in_registers(const Finish& f, Tile<MR, NV>& tile) {
    const F32 alpha = set1(f.alpha), floor = lower_bound_of(f);
    F32 bias[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) bias[v] = f.bias ? load(f.bias + v * kLanes) : zero();
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v)
            tile.acc[r][v] = max(floor, fma(tile.acc[r][v], alpha, bias[v]));
    const float* residual = f.residual;
    if (residual) {
#pragma GCC unroll 16
        for (int r = 0; r < MR; ++r, residual += f.residual_row)
#pragma GCC unroll 8
            for (int v = 0; v < NV; ++v)
                tile.acc[r][v] = tile.acc[r][v] + load(residual + v * kLanes);
    }
    float* y = f.y;
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r, y += f.y_row)
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) store(y + v * kLanes, tile.acc[r][v]);
}

template <int MR, int NV>
HADES_INLINE void finish_tile(const Finish& f, int64_t columns, bool in_registers,
                              Tile<MR, NV>& tile) {
    constexpr int kWidth = NV * kLanes;
    if (in_registers && columns >= kWidth) return finish_in_registers(f, tile);
    float memory[MR * kWidth];
    store_tile(memory, tile);
    finish_rows(f, memory, kWidth, MR, columns < kWidth ? static_cast<int>(columns) : kWidth);
}

template <int MR, int NV, bool kRowsAdjacent>
void run_tiles(TileArgs& t) {
    constexpr int kWidth = NV * kLanes;
    const bool in_registers = finishes_in_registers(t.finish);
    const int64_t panels = NV < kPanelVectors ? 1 : NV / kPanelVectors;
    for (; t.columns > 0; t.columns -= kWidth) {
        Tile<MR, NV> tile;
        clear(tile);
        multiply<kRowsAdjacent>(t.a, t.b, t.k, tile, FetchAhead<MR, NV>(t));
        if (!t.first) add_tile(t.partial, tile);
        if (t.last)
            finish_tile(t.finish, t.columns, in_registers, tile);
        else
            store_tile(t.partial, tile);
        t.b.data += panels * t.b.panel;
        t.partial += MR * kWidth;
        t.column += kWidth;
        move(0, kWidth, &t.finish);
    }
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
        table.rows_apart[MR - 1][NV - 1] = run_tiles<MR, NV, false>;
        table.rows_adjacent[MR - 1][NV - 1] = run_tiles<MR, NV, true>;
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
    if (a.row == 1) {
        for (int64_t i = 0; i < k; ++i)
            for (int r = 0; r < rows; r += kLanes) {
                const int lanes = rows - r < kLanes ? rows - r : kLanes;
                store_n(staged + i * rows + r, load_n(a.data + i * a.col + r, lanes), lanes);
            }
    } else {
        for (int r = 0; r < rows; ++r) {
            const float* source = a.data + r * a.row;
            for (int64_t i = 0; i < k; ++i) staged[i * rows + r] = source[i * a.col];
        }
    }
    return {staged, 1, rows};
}

// One tile of rows against all columns of the block, from step k0 of b on: wide tiles while there
// are columns for them, then whole panels, then what is left of one.
static void run_row_of_tiles(const GemmBlockArgs& g, int rows, int64_t k0, TileArgs* t) {
    const TileFn* tiles = (t->a.col == 1 ? kTiles.rows_apart : kTiles.rows_adjacent)[rows - 1];
    int64_t columns = 0;
    t->column = 0;
    for (int64_t column = 0; column < g.n; column += columns) {
        const int64_t left = g.n - column;
        int64_t vectors = wide_vectors(rows);
        if (left < vectors * kLanes) vectors = ceil_div(smaller(left, kPanelWidth), kLanes);
        const int64_t width = vectors * kLanes;
        columns = left < width ? left : left / width * width;
        t->columns = columns;
        t->b.step = g.b_packed ? smaller(width, kPanelWidth) : g.b_step;
        t->b.data = g.b + column / kPanelWidth * g.b_panel + k0 * t->b.step;
        tiles[vectors - 1](*t);
    }
}

// Rows [first, end) of a block: its tiles are of nearly equal height.
struct RowsOfTile {
    int64_t first, end;

    RowsOfTile(int64_t m, int64_t tiles, int64_t tile)
        : first(m * tile / tiles), end(m * (tile + 1) / tiles) {}
};

// What follows tile `tile` of the block of `k` steps from k0 on.
static NextReads next_reads(const GemmBlockArgs& g, int64_t tiles, int64_t tile, int64_t k0,
                            int64_t k) {
    NextReads next{};
    next.columns = g.n;
    const int64_t next_k = smaller(g.block_k, g.k - k0 - k);
    const bool another_block = next_k > 0, another_tile = tile + 1 < tiles;
    if (g.a_col == 1 && (another_tile || another_block)) {
        const RowsOfTile rows(g.m, tiles, another_tile ? tile + 1 : 0);
        next.a = g.a + rows.first * g.a_row + (another_tile ? k0 : k0 + k);
        next.a_row = g.a_row;
        next.a_columns = another_tile ? k : next_k;
    }
    if (g.b_packed && (another_block || g.next.parts > 0)) {
        const int64_t width = smaller(g.n, kPanelWidth);
        const int64_t floats = width * (another_block ? next_k : smaller(g.block_k, g.k));
        const int64_t parts = another_block ? 1 : g.next.parts;
        const int64_t part = (another_block ? 0 : g.next.part) * tiles + tile;
        const int64_t share = ceil_div(floats, parts * tiles);
        next.b_offset = (another_block ? width * k : g.next.distance - width * k0) + part * share;
        next.b_columns = smaller(share, floats - part * share);
    }
    return next;
}

// k in blocks, so that the panels of a block stay in the second-level cache while all tiles pass
// over them.
static void run_block(const GemmBlockArgs& g) {
    const int64_t tiles = ceil_div(g.m, kTileRows);
    const int64_t padded_n = round_up(g.n, kLanes);
    float* staged = g.scratch;
    float* partial = staged + kTileRows * (g.block_k + 16);
    for (int64_t k0 = 0; k0 < g.k || k0 == 0; k0 += g.block_k) {
        TileArgs t;
        t.b.panel = g.b_panel;
        t.k = smaller(g.block_k, g.k - k0);
        t.first = k0 == 0;
        t.last = k0 + t.k >= g.k;
        for (int64_t tile = 0; tile < tiles; ++tile) {
            const RowsOfTile at(g.m, tiles, tile);
            const int rows = static_cast<int>(at.end - at.first);
            const Left a{g.a + at.first * g.a_row + k0 * g.a_col, g.a_row, g.a_col};
            t.a = stage(g, a, rows, t.k, staged);
            t.finish = g.finish;
            move(at.first, 0, &t.finish);
            t.partial = partial + at.first * padded_n;
            t.next = next_reads(g, tiles, tile, k0, t.k);
            run_row_of_tiles(g, rows, g.b_first + k0, &t);
        }
    }
}

// A strip of a row at a time: finishing it costs a call.
static void reduce_slices(const GemmReduceArgs& r) {
    constexpr int kStrip = kVectorsAtOnce * kLanes;
    for (int64_t row = 0; row < r.m; ++row) {
        for (int64_t column = 0; column < r.n; column += kStrip) {
            const int columns = static_cast<int>(smaller(r.n - column, kStrip));
            const float* source = r.partial + row * r.row_stride + column;
            float totals[kStrip];
            for (int c = 0; c < columns; c += kLanes) {
                F32 total = load(source + c);  // rows of partial sums are whole vectors
                for (int64_t slice = 1; slice < r.slices; ++slice)
                    total = total + load(source + slice * r.slice_stride + c);
                store(totals + c, total);
            }
            Finish finish = r.finish;
            move(row, column, &finish);
            finish_rows(finish, totals, kStrip, 1, columns);
        }
    }
}

GemmKernel gemm_f32() {
    return {kTileRows, kLanes, kPanelVectors, run_block, pack_panels, reduce_slices};
}

}  // namespace hades::HADES_ISA
