#pragma once
#include <cstdint>

#include "formats/kv_block.h"

// Rotary position embedding, and the way of keys and values into the cache.
namespace hades {

struct RopeTableArgs {
    const int32_t* positions;
    const float* inverse_frequencies;  // [half], radians per position
    float* table;                      // [rows, 2 * half]: cosines, then sines
    int64_t rows, half;
    float factor;  // on both
};

using RopeTable = void(const RopeTableArgs&);

// One token: rotates all heads, stores keys and values if the slot is not negative.
struct RopeStoreArgs {
    const float* qkv;    // query heads, key heads, value heads, [head_dim] each
    const float* table;  // cosines, then sines, [head_dim / 2] each
    float* q;            // rotated queries; may be those of qkv
    uint8_t* pool;       // of the layer
    int64_t slot;        // block * 16 + place in the block
    int64_t heads, kv_heads;
    KvBlock block;
    float* scratch;  // [head_dim]
};

using RopeStore = void(const RopeStoreArgs&);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/rope/rope.inc"
#undef HADES_KERNEL

}  // namespace hades
