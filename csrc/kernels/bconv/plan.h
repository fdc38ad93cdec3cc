#pragma once
#include "kernels/bconv/bconv.h"
#include "kernels/tile/cut_chunks.h"

namespace hades {

BconvPlan plan_bconv(const ConvShape& shape, const BconvKernel& kernel);

}  // namespace hades
