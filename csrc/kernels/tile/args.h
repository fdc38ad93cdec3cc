#pragma once
#include <cstdint>

#include "base/epilogue.h"
#include "base/macros.h"

// What the pieces in this room are called with by the families that share them.
namespace hades {

struct Finish {
    const float* bias;      // one per column, or nullptr
    const float* residual;  // [m, n], or nullptr
    float* y;
    int64_t residual_row, y_row;  // elements between rows
    float alpha;
    Epilogue epilogue;
};

// To another row and column of y, `rows` and `columns` away.
HADES_INLINE void move(int64_t rows, int64_t columns, Finish* finish) {
    finish->y += rows * finish->y_row + columns;
    if (finish->bias) finish->bias += columns;
    if (finish->residual) finish->residual += rows * finish->residual_row + columns;
}

// Panels of b[k, n], from column 0 of that pointer.
struct PackPanelsArgs {
    const float* b;
    int64_t k_stride, n_stride;
    int64_t k, n;
    float* packed;
};

}  // namespace hades
