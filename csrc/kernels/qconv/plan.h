#pragma once
#include "kernels/qconv/qconv.h"

namespace hades {

QconvPlan plan_qconv(const ConvShape& shape, const QconvKernel& kernel);
QconvPlan plan_depthwise(const ConvShape& shape, const QconvKernel& kernel);

int64_t chunk_count(const ConvShape& shape, const QconvPlan& plan);

// The chunk of that number, output channels varying fastest so that neighbours share their input.
QconvChunk chunk_at(const ConvShape& shape, const QconvPlan& plan, int64_t index);

}  // namespace hades
