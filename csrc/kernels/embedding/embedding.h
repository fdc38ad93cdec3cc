#pragma once
#include <cstdint>

namespace hades {

// One row of an embedding table to float32: bfloat16, or int8 with a float16 scale per 32 columns.
struct EmbedArgs {
    const void* values;
    const uint16_t* scales;
    float* y;
    int64_t columns;
};

using EmbedRow = void(const EmbedArgs&);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/embedding/embedding.inc"
#undef HADES_KERNEL

}  // namespace hades
