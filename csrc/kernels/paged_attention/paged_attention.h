#pragma once
#include <cstdint>

#include "formats/kv_block.h"

// Softmax attention of consecutive tokens of one sequence, of the query heads that share a key
// head, over the blocks of a cache. Keys are visited in partitions that begin at multiples of 512
// positions, so a token's result does not depend on what else the step contains.
namespace hades {

constexpr int64_t kPartition = 512;
// From the scores of a row to those of the next: a line more than there are, so that the rows of a
// tile do not meet in one set of the cache.
constexpr int64_t kScoreRow = kPartition + 16;
// Of tokens that share a visit, rows being tokens times heads: their scores fit a cache of 512 KiB.
constexpr int64_t kMostRows = 128;
constexpr int64_t kMostStepBlocks = 2;
constexpr double kLog2E = 0x1.71547652b82fep+0;

struct PagedAttentionArgs {
    const float* q;            // [tokens][heads, head_dim]
    float* o;                  // [tokens][heads, head_dim]
    int64_t q_token, o_token;  // floats from one token to the next
    const uint8_t* pool;       // of the layer, at this key head in the first block
    const int32_t* blocks;     // of the sequence
    const float* sinks;        // [heads], or nullptr: a logit without a value, not scaled
    int64_t block_bytes;       // from one block to the next
    int64_t position;          // of the first token
    int64_t window;            // positions that a token sees, itself included; 0: all
    int64_t tokens, heads;     // several tokens: at most kMostRows rows
    KvBlock block;
    float scale;     // of the scores, times log2(e)
    float* scratch;  // attention_scratch() floats
};

HADES_INLINE int64_t attention_scratch(int64_t head_dim) {
    const int64_t panel = kMostStepBlocks * kBlockTokens * head_dim;
    return kMostRows * (kScoreRow + 2 * head_dim) + panel;
}

using PagedAttention = void(const PagedAttentionArgs&);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/paged_attention/paged_attention.inc"
#undef HADES_KERNEL

}  // namespace hades
