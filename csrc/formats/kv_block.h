#pragma once
#include <cstdint>

#include "base/macros.h"

// A block of the KV cache holds 16 tokens: per key head, the keys [head_dim][16] and then the
// values [16][head_dim], so that a lane of the scores is a token and a lane of the result is a
// dimension. bf16, or int8 followed by a float32 scale per token.
namespace hades {

constexpr int64_t kBlockTokens = 16;

struct KvBlock {
    int64_t head_dim;
    bool is_int8;

    // Of the keys, or of the values, of one head.
    inline __attribute__((always_inline)) int64_t part_bytes() const {
        const int64_t values = kBlockTokens * head_dim;
        return is_int8 ? values + kBlockTokens * 4 : values * 2;
    }
    inline __attribute__((always_inline)) int64_t bytes(int64_t kv_heads) const {
        return kv_heads * 2 * part_bytes();
    }
};

}  // namespace hades
