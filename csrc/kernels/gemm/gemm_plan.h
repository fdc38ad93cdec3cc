#pragma once
#include "base/op.h"
#include "kernels/gemm/gemm.h"

// How a product is cut: into packed panels, blocks that fit the caches, and chunks for the threads.
namespace hades {

struct Matrix {
    int64_t row = 0, col = 0;  // elements between rows, and between columns
    int64_t batch[2] = {0, 0};
};

// y[b1, b2] = a[b1, b2] b[b1, b2], every operand with strides of its own.
struct GemmProblem {
    int64_t batch[2] = {1, 1};
    int64_t m = 0, n = 0, k = 0;
    Matrix a, b, residual, y;
    bool has_bias = false, has_residual = false;
    bool b_constant = false;
};

enum class PackB : int32_t {
    ahead,    // when binding
    shared,   // per run, by all workers, then a barrier
    local,    // per run, each chunk its own matrix: batches of small matrices
    in_place  // not at all: too few rows to be worth a copy
};

struct GemmPlan {
    GemmProblem problem;
    GemmKernel kernel;
    GemmBlockArgs block;  // without pointers and extents
    PackB pack;
    int64_t panels, panel_width;
    int64_t packed_floats;       // of one matrix b
    int64_t packed_matrices[2];  // along the batch axes; 1 where b repeats
    int64_t row_blocks, column_blocks, slices;
    int64_t partial_row, partial_slice;  // strides of the partial products, if slices > 1
    int64_t local_floats, scratch_floats, shared_floats;

    // Blocks are of whole tiles, which are all of nearly the same height.
    int64_t first_row(int64_t row_block) const;
    int64_t batches() const { return problem.batch[0] * problem.batch[1]; }
    int64_t chunks() const { return batches() * slices * column_blocks * row_blocks; }
};

GemmPlan plan_gemm(const GemmProblem& problem, const GemmKernel& kernel, float alpha,
                   const Epilogue& epilogue);

}  // namespace hades
