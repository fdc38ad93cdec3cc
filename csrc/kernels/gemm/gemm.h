#pragma once
#include <cstdint>

#include "kernels/gemm/typed.h"
#include "kernels/tile/args.h"

// Matrix products, y = after(activation(alpha * a b + bias) + residual).
//
// The right operand is read in panels of `lanes * panel_vectors` columns, [panel][k][width]: packed
// ahead, packed per run, or, where few rows make packing a waste, in place. The last panel is as
// wide as its columns need, in whole vectors, and padded with zeros.
namespace hades {

enum class StageA : int32_t {
    none,     // rows are read in place: k is contiguous, or all rows of a tile are
    rows,     // copied row by row: rows at a multiple of the cache's way size evict each other
    columns,  // copied with the rows of a tile side by side
};

// Panels that the chunk after this one reads, each `distance` floats behind one of this chunk's.
// This chunk asks for part `part` of `parts` of their first block of k; for nothing where parts is
// 0.
struct NextPanels {
    int64_t distance;
    int64_t part, parts;
};

struct GemmBlockArgs {
    const float* a;
    int64_t a_row, a_col;  // elements between rows, and between steps of k
    StageA stage;
    const float* b;
    int64_t b_step, b_panel;  // elements between steps of k in a full panel, and between panels
    bool b_packed;            // in place, the last panel has the step of the others
    int64_t b_first;          // step of k at which b is entered (a points there already)
    int64_t m, n, k;
    int64_t block_k;  // steps of k that are accumulated in registers before the next tile's turn
    NextPanels next;
    Finish finish;
    float* scratch;  // a tile of a, rows * (block_k + 16) floats; then, where k has several
                     // blocks, accumulators: m * (n rounded up to whole vectors) floats
};

// Sums partial products of slices of k, [slices][m][n] with contiguous rows, in the order of k.
struct GemmReduceArgs {
    const float* partial;
    int64_t slices, slice_stride, row_stride;
    int64_t m, n;
    Finish finish;
};

// The micro-kernels of one tier.
struct GemmKernel {
    int32_t rows;           // of a tile
    int32_t lanes;          // of a vector
    int32_t panel_vectors;  // vectors side by side in a panel
    void (*block)(const GemmBlockArgs&);
    void (*pack)(const PackPanelsArgs&);
    void (*reduce)(const GemmReduceArgs&);
};

using GemmProvider = GemmKernel();

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/gemm/gemm.inc"
#undef HADES_KERNEL

}  // namespace hades
