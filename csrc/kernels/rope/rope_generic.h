#pragma once
#include "kernels/rope/rope.h"
#include "simd/narrow.h"

// (x_i, x_{i + d/2}) turns by the angle of pair i:
//     y_i         = x_i cos - x_{i + d/2} sin
//     y_{i + d/2} = x_{i + d/2} cos + x_i sin
// Products and sums are rounded one by one, in every tier, so that tiers agree to the last bit.
namespace hades::HADES_ISA {

static void rotate(const float* x, const float* table, int64_t half, float* y) {
    for (int64_t i = 0; i < half; i += kLanes) {
        const int n = static_cast<int>(half - i < kLanes ? half - i : kLanes);
        const F32 cosine = load_n(table + i, n), sine = load_n(table + half + i, n);
        const F32 low = load_n(x + i, n), high = load_n(x + half + i, n);
        store_n(y + i, low * cosine - high * sine, n);
        store_n(y + half + i, high * cosine + low * sine, n);
    }
}

static float largest_magnitude(const float* x, int64_t n) {
    F32 largest = zero();
    for (int64_t i = 0; i < n; i += kLanes) {
        const int count = static_cast<int>(n - i < kLanes ? n - i : kLanes);
        largest = max(largest, abs(load_n(x + i, count)));
    }
    return max_of(largest);
}

static int8_t nearest_int8(float x) { return static_cast<int8_t>(__builtin_rintf(x)); }

// One vector of a token into its column (step 16) or row (step 1) of a block.
static void store_vector(const float* x, const KvBlock& block, uint8_t* part, int64_t place,
                         int64_t step, int64_t begin) {
    const int64_t d = block.head_dim;
    if (!block.is_int8) {
        auto* values = reinterpret_cast<uint16_t*>(part) + begin;
        for (int64_t i = 0; i < d; ++i) values[i * step] = to_bfloat16(x[i]).bits;
        return;
    }
    const float scale = largest_magnitude(x, d) / 127.0f;
    const float inverse = scale > 0.0f ? 1.0f / scale : 0.0f;
    auto* values = reinterpret_cast<int8_t*>(part) + begin;
    for (int64_t i = 0; i < d; ++i) values[i * step] = nearest_int8(x[i] * inverse);
    reinterpret_cast<float*>(part + kBlockTokens * d)[place] = scale;
}

void rope_store_f32(const RopeStoreArgs& args) {
    const int64_t d = args.block.head_dim, half = d / 2;
    for (int64_t head = 0; head < args.heads; ++head)
        rotate(args.qkv + head * d, args.table, half, args.q + head * d);
    if (args.slot < 0) return;
    const float* keys = args.qkv + args.heads * d;
    const float* values = keys + args.kv_heads * d;
    const int64_t place = args.slot % kBlockTokens, part = args.block.part_bytes();
    uint8_t* block = args.pool + args.slot / kBlockTokens * args.block.bytes(args.kv_heads);
    for (int64_t head = 0; head < args.kv_heads; ++head, block += 2 * part) {
        rotate(keys + head * d, args.table, half, args.scratch);
        store_vector(args.scratch, args.block, block, place, kBlockTokens, place);
        store_vector(values + head * d, args.block, block + part, place, 1, place * d);
    }
}

}  // namespace hades::HADES_ISA
