#pragma once
#include "kernels/conv/conv.h"
#include "kernels/tile/cut_chunks.h"

namespace hades {

// `lanes` is the vector length that the kernel wants its weights packed for.

// Blocking of the direct kernel.
ConvPlan plan_direct(const ConvShape& shape, int lanes);

// How many groups the direct kernel takes for one, with zeros between them, so that their output
// channels fill a vector: it has as many products, most of them of idle lanes before and of zeros
// then, but fewer and longer sums.
int64_t groups_to_join(const ConvShape& shape, int lanes);

// Whether the dot kernel is faster than the direct one, for few output channels.
bool dot_pays(const ConvShape& shape);

// Blocking of the dot kernel: a block is one output channel.
ConvPlan plan_dot(const ConvShape& shape, int lanes);

// Blocking of the depthwise kernel: all channels of some rows.
ConvPlan plan_depthwise(const ConvShape& shape, int lanes);

// Whether the filters of a Winograd convolution are transformed while it runs, because four times
// as many weights would come from far away.
bool transforms_per_run(const ConvShape& shape);

// Blocking of the Winograd kernel: columns are tiles of 4x4 outputs, of all images.
ConvPlan plan_winograd(const ConvShape& shape, int lanes);

// Whether the Winograd kernel should compute the shape: see plan.cpp.
bool winograd_pays(const ConvShape& shape, int lanes);

}  // namespace hades
