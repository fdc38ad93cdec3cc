#pragma once
#include <cstdint>

// Reading and writing elements at positions that are data: the Gather and Scatter operators.
namespace hades {

// One loop. `fixed` strides run over the tensor that is indexed, `index` over the index tensor,
// `dense` over the result of a gather or the updates of a scatter.
struct GatherLoop {
    int64_t extent, fixed, index, dense;
};

// One entry of an index tuple: which axis of the indexed tensor it positions.
struct GatherComponent {
    int64_t extent, stride;  // of that axis
    int64_t index;           // where the entry lies, relative to the tuple
};

struct GatherArgs {
    void* fixed;  // read by a gather, written by a scatter
    const void* indices;
    void* dense;  // written by a gather, read by a scatter
    bool wide;    // int64 indices, int32 otherwise
    const GatherLoop* loops;
    int64_t loop_count;
    const GatherComponent* components;
    int64_t component_count;
    int64_t run;          // contiguous elements moved per tuple
    int64_t first, last;  // which tuples, in row-major order of the loops
};

// gather_b<size>: dense = fixed[indices]; a tuple out of range gives zeros.
// scatter_b<size>, scatter_<reduction>_<dtype>: fixed[indices] = dense, in order; a tuple out of
// range writes nothing.
using Gather = void(const GatherArgs&);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/gather/gather.inc"
#undef HADES_KERNEL

}  // namespace hades
