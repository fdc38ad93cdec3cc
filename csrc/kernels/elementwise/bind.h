#pragma once
#include <vector>

#include "base/functions.h"
#include "base/op.h"
#include "base/registry.h"
#include "kernels/elementwise/elementwise.h"

namespace hades {

// A pointwise program as it is bound: validated, constants splatted.
struct MapProgram {
    std::vector<MapStep> steps;
    std::vector<float> constants;  // kSplat copies of each
    std::vector<MapGrid> grids;    // of each operand, or none
};

// Binds `program` to the operands of `desc`, all float32 and of the output's shape.
Status bind_program(const OpDesc& desc, MapProgram program, BoundOp* bound);

Status bind_map(const OpDesc& desc, BoundOp* bound);
Status bind_scale_shift(const OpDesc& desc, BoundOp* bound);
Status bind_unary(const OpDesc& desc, BoundOp* bound);
Status bind_binary(const OpDesc& desc, BoundOp* bound);
Status bind_select(const OpDesc& desc, BoundOp* bound);
Status bind_cast(const OpDesc& desc, BoundOp* bound);

// The kernel of that function for the allowed features, and its name.
AnyFn select_elementwise(const char* function, IsaMask allowed, const char** name);

}  // namespace hades
