#pragma once
#include "kernels/bconv/bconv.h"

namespace hades {

BconvPlan plan_bconv(const ConvShape& shape, const BconvKernel& kernel);

int64_t chunk_count(const ConvShape& shape, const BconvPlan& plan);

// The chunk of that number, output channels varying fastest so that neighbours share their input.
BconvChunk chunk_at(const ConvShape& shape, const BconvPlan& plan, int64_t index);

}  // namespace hades
