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

}  // namespace hades
