#pragma once
#include <cstdint>

#include "formats/kv_block.h"

// Softmax attention of one token's query heads that share a key head, over the blocks of a cache.
// Keys are visited in partitions that begin at multiples of 512 positions, so a token's result does
// not depend on what else the step contains.
namespace hades {

constexpr int64_t kPartition = 512;

struct PagedAttentionArgs {
    const float* q;         // [heads, head_dim]
    float* o;               // [heads, head_dim]
    const uint8_t* pool;    // of the layer, at this key head in the first block
    const int32_t* blocks;  // of the sequence
    const float* sinks;     // [heads], or nullptr: a logit without a value, not scaled
    int64_t block_bytes;    // from one block to the next
    int64_t first, last;    // positions that are seen
    int64_t heads;
    KvBlock block;
    float scale;
    float* scratch;  // attention_scratch() floats
};

HADES_INLINE int64_t attention_scratch(int64_t head_dim) {
    constexpr int64_t kMostRows = 8;
    return kMostRows * (kPartition + head_dim);
}

using PagedAttention = void(const PagedAttentionArgs&);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/paged_attention/paged_attention.inc"
#undef HADES_KERNEL

}  // namespace hades
