#pragma once
#include "kernels/qconv/qconv.h"
#include "kernels/tile/cut_chunks.h"

namespace hades {

// `wide`: with weights of int16.
QconvPlan plan_qconv(const ConvShape& shape, const QconvKernel& kernel, bool wide);
QconvPlan plan_depthwise(const ConvShape& shape, const QconvKernel& kernel);

// Blocking of the Winograd kernel: columns are tiles of 4x4 outputs, of all images. `weights` may
// be nullptr: unknown.
QconvPlan plan_winograd(const ConvShape& shape, const QconvKernel& kernel, const int8_t* weights);

// Whether the Winograd kernel should compute the shape instead of that direct kernel of the same
// tier: see winograd_plan.cpp.
bool winograd_pays(const ConvShape& shape, const QconvKernel& direct);

// From the grid and what a chunk takes of it.
void count_chunks(QconvPlan* plan);

inline int64_t chunk_count(const QconvPlan& plan) {
    return plan.images * plan.group_chunks * plan.row_chunks * plan.column_chunks *
           plan.block_chunks;
}

// The chunk of that number, output channels varying fastest so that neighbours share their input.
QconvChunk chunk_at(const QconvPlan& plan, int64_t index);

}  // namespace hades
