#include "kernels/gemm/gemm_plan.h"

#include <algorithm>

#include "base/rounding.h"

namespace hades {
namespace {

constexpr int64_t kLongestBlockK = 512;        // above, k is cut into blocks of about ...
constexpr int64_t kBlockK = 384;               // ... this, an L1-sized tile of a
constexpr int64_t kPanelFloats = 96 * 1024;    // panels of a block: 3/8 of a 1 MiB L2
constexpr int64_t kTilesPerBlock = 12;         // rows per visit to those panels
constexpr int64_t kChunks = 16;                // enough to balance a few threads
constexpr int64_t kSmallestChunk = 64 * 1024;  // multiply-adds; a claim costs about 200 cycles
constexpr int64_t kLocalFloats = 128 * 1024;   // of a matrix that a chunk packs for itself
constexpr int64_t kSliceK = 1024;              // shorter slices of k would mostly be summed
constexpr int64_t kSlices = 64;
constexpr int64_t kWayBytes = 4096;  // of a 32 KiB, 8-way L1
constexpr int64_t kWaysForRows = 7;  // the other is left to what streams past them

// Batches that share b and follow each other in memory are rows of one matrix.
void merge_batches(GemmProblem* p) {
    for (int axis = 1; axis >= 0; --axis) {
        const int64_t count = p->batch[axis];
        if (count == 1) continue;
        Matrix* rows[] = {&p->a, &p->y, &p->residual};
        bool follow = p->b.batch[axis] == 0;
        for (Matrix* matrix : rows) {
            if (p->m == 1) matrix->row = matrix->batch[axis];
            follow = follow && matrix->batch[axis] == p->m * matrix->row;
        }
        if (!follow) return;
        p->m *= count;
        p->batch[axis] = 1;
        for (Matrix* matrix : rows) matrix->batch[axis] = 0;
    }
}

int64_t packed_floats(const GemmProblem& p, const GemmKernel& kernel) {
    return p.k * round_up(p.n, kernel.lanes);
}

// How many of `count` elements, `stride` floats apart, compete for one set of the cache.
int64_t in_a_set(int64_t stride, int64_t count) {
    const auto bytes = stride * static_cast<int64_t>(sizeof(float));
    int64_t period = 1;  // elements until the set is the same again
    while (period * bytes % kWayBytes != 0 && period < count) period *= 2;
    return ceil_div(count, period);
}

// Panels of b read a tile of a again and again: it must stay in the cache.
StageA choose_stage(const GemmPlan& plan) {
    const GemmProblem& p = plan.problem;
    const bool again = plan.panels > 2 && p.m > 1;
    if (p.a.col == 1 || p.k == 1) {
        const int64_t rows = std::min<int64_t>(p.m, plan.kernel.rows);
        return again && in_a_set(p.a.row, rows) > kWaysForRows ? StageA::rows : StageA::none;
    }
    if (p.a.row != 1 && p.m > 1) return StageA::columns;
    return again && in_a_set(p.a.col, plan.block.block_k) > kWaysForRows ? StageA::columns
                                                                         : StageA::none;
}

PackB choose_pack(const GemmPlan& plan) {
    const GemmProblem& p = plan.problem;
    if (p.b_constant) return PackB::ahead;
    const bool whole_vectors = p.n % plan.kernel.lanes == 0;
    if (p.b.col == 1 && whole_vectors && p.m <= 2 * plan.kernel.rows) return PackB::in_place;
    const bool repeats = plan.packed_matrices[0] * plan.packed_matrices[1] != plan.batches();
    const bool one_visit = p.m <= kTilesPerBlock * plan.kernel.rows;
    if (!repeats && one_visit && plan.batches() >= 8 && plan.packed_floats <= kLocalFloats)
        return PackB::local;
    return PackB::shared;
}

int64_t choose_block_k(int64_t k) {
    const int64_t blocks = k > kLongestBlockK ? ceil_div(k, kBlockK) : 1;
    return std::max<int64_t>(1, ceil_div(k, blocks));
}

// A cut of m, n and k, and what it costs.
struct Cut {
    int64_t row_blocks, column_blocks, slices;

    int64_t parts() const { return row_blocks * column_blocks * slices; }
};

// Floats that come from behind the second-level cache. Rows of a come once for every block of
// columns, and are copied where they are staged. Panels of b stay in the cache from one block of
// rows to the next, unless there are several blocks of k; partial products go and come back.
double traffic_of(const GemmPlan& plan, const Cut& cut) {
    const GemmProblem& p = plan.problem;
    const auto m = static_cast<double>(p.m), n = static_cast<double>(p.n);
    const auto k = static_cast<double>(p.k);
    const bool one_block = ceil_div(p.k, cut.slices) <= plan.block.block_k;
    const double reads_of_a =
        static_cast<double>(cut.column_blocks) * (plan.block.stage == StageA::none ? 1.0 : 2.0);
    const double reads_of_b = one_block ? 1.0 : static_cast<double>(cut.row_blocks);
    const double partial = cut.slices > 1 ? 2.0 * static_cast<double>(cut.slices) : 0.0;
    return reads_of_a * m * k + reads_of_b * n * k + partial * m * n;
}

// The cut of least traffic among those whose blocks fit the caches and that have enough chunks for
// the threads, or as many as there can be.
void choose_blocks(GemmPlan* plan) {
    const GemmProblem& p = plan->problem;
    const int64_t tiles = ceil_div(p.m, plan->kernel.rows);
    const int64_t panels_per_block =
        std::max<int64_t>(1, kPanelFloats / (plan->block.block_k * plan->panel_width));
    Cut best = {ceil_div(tiles, kTilesPerBlock), ceil_div(plan->panels, panels_per_block), 1};
    const Cut fewest = best;
    const int64_t work = plan->batches() * p.m * p.n * p.k;
    const int64_t wanted =
        plan->pack == PackB::local || work == 0
            ? 1
            : ceil_div(std::min(kChunks, std::max<int64_t>(1, work / kSmallestChunk)),
                       plan->batches());
    double least = 0.0;
    int64_t most = 0;
    for (int64_t slices = 1; slices == 1 || p.k >= slices * kSliceK; slices *= 2) {
        if (slices > kSlices || fewest.parts() == 0) break;
        for (int64_t columns = fewest.column_blocks; columns <= plan->panels; ++columns) {
            const int64_t rows =
                std::clamp(ceil_div(wanted, slices * columns), fewest.row_blocks, tiles);
            const Cut cut = {rows, columns, slices};
            const int64_t parts = std::min(cut.parts(), wanted);
            const double traffic = traffic_of(*plan, cut);
            if (parts > most || (parts == most && traffic < least)) {
                best = cut;
                most = parts;
                least = traffic;
            }
            if (parts == wanted && rows == fewest.row_blocks) break;  // more would only cost
        }
    }
    plan->row_blocks = best.row_blocks;
    plan->column_blocks = best.column_blocks;
    plan->slices = best.slices;
}

void size_scratch(GemmPlan* plan) {
    const GemmProblem& p = plan->problem;
    if (plan->chunks() == 0) return;  // nothing to compute
    const int64_t tiles = ceil_div(p.m, plan->kernel.rows);
    const int64_t rows = ceil_div(tiles, plan->row_blocks) * plan->kernel.rows;
    const int64_t columns =
        std::min(ceil_div(plan->panels, plan->column_blocks) * plan->panel_width,
                 round_up(p.n, plan->kernel.lanes));
    const int64_t longest_k = ceil_div(p.k, plan->slices);
    int64_t block = plan->kernel.rows * (plan->block.block_k + 16);
    if (longest_k > plan->block.block_k) block += rows * columns;
    plan->local_floats = plan->pack == PackB::local ? round_up(plan->packed_floats, 16) : 0;
    plan->scratch_floats = plan->local_floats + block;
    plan->shared_floats = 0;
    if (plan->pack == PackB::shared)
        plan->shared_floats =
            round_up(plan->packed_floats, 16) * plan->packed_matrices[0] * plan->packed_matrices[1];
    if (plan->slices > 1) {
        plan->partial_row = round_up(p.n, 16);
        plan->partial_slice = plan->partial_row * p.m;
        plan->shared_floats += plan->batches() * plan->slices * plan->partial_slice;
    }
}

}  // namespace

int64_t GemmPlan::first_row(int64_t row_block) const {
    const int64_t tiles = std::max<int64_t>(1, ceil_div(problem.m, kernel.rows));
    return problem.m * (tiles * row_block / row_blocks) / tiles;
}

GemmPlan plan_gemm(const GemmProblem& problem, const GemmKernel& kernel, float alpha,
                   const Epilogue& epilogue) {
    GemmPlan plan{};
    plan.problem = problem;
    plan.kernel = kernel;
    merge_batches(&plan.problem);
    const GemmProblem& p = plan.problem;
    plan.panel_width = int64_t{kernel.lanes} * kernel.panel_vectors;
    plan.panels = ceil_div(p.n, plan.panel_width);
    plan.packed_floats = packed_floats(p, kernel);
    for (int axis = 0; axis < 2; ++axis)
        plan.packed_matrices[axis] = p.b.batch[axis] == 0 ? 1 : p.batch[axis];
    plan.pack = choose_pack(plan);
    plan.block.block_k = choose_block_k(p.k);
    plan.block.stage = choose_stage(plan);
    choose_blocks(&plan);

    GemmBlockArgs& block = plan.block;
    block.a_row = p.a.row;
    block.a_col = p.k == 1 ? 1 : p.a.col;
    block.b_packed = plan.pack != PackB::in_place;
    block.b_step = block.b_packed ? plan.panel_width : p.b.row;
    block.b_panel = block.b_packed ? p.k * plan.panel_width : plan.panel_width;
    block.finish.alpha = alpha;
    block.finish.epilogue = epilogue;
    block.finish.y_row = p.y.row;
    block.finish.residual_row = p.residual.row;
    size_scratch(&plan);
    return plan;
}

}  // namespace hades
