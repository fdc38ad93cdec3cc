#pragma once
#include <cstdint>

#include "base/macros.h"
#include "base/rounding.h"

// softmax(scale * q k^T + bias + mask) v for the queries of all heads that share a key head.
namespace hades {

// Score operands are added to the scaled scores; nullptr where there is none.
struct AttentionAddend {
    const float* data;
    int64_t head, row, col;  // elements between heads, queries and keys; 0 repeats
};

// Rows first_row to first_row + rows of the `queries` x heads of a group: row = head * queries +
// query. Pointers are those of the group's first head. Query i stands at key keys - queries + i.
struct AttentionArgs {
    const float *q, *k, *v;
    float* y;
    AttentionAddend addends[2];
    const float* sinks;  // a score per head that takes part in the sum but has no value; or nullptr
    int64_t q_head, q_row, k_row, v_row, y_head, y_row;
    int64_t first_row, rows, queries, keys, d, dv;
    float scale;
    bool causal;         // a query sees no key behind its own position
    int64_t window;      // it sees only keys less than this away; 0: all
    int64_t block_keys;  // keys that are packed, scored and summed together
    float* scratch;      // attention_scratch(...).floats
};

// Where the parts of the scratch memory begin, in floats.
struct AttentionScratch {
    int64_t queries, keys, values, scores, outputs, maxima, sums, floats;
    int64_t query_row, score_row, output_row;
};

HADES_INLINE AttentionScratch attention_scratch(int64_t rows, int64_t block_keys, int64_t d,
                                                int64_t dv, int64_t tile_rows) {
    constexpr int64_t kLine = 16;  // floats; one line more than a power of two keeps rows apart
    AttentionScratch s;
    s.query_row = round_up(d, kLine) + kLine;
    s.score_row = round_up(block_keys, 2 * kLine) + kLine;
    s.output_row = round_up(dv, kLine);
    s.queries = 0;
    s.keys = s.queries + rows * s.query_row;
    s.values = s.keys + d * round_up(block_keys, kLine);
    s.scores = s.values + block_keys * s.output_row;
    s.outputs = s.scores + tile_rows * s.score_row;
    s.maxima = s.outputs + rows * s.output_row;
    s.sums = s.maxima + round_up(rows, kLine);
    s.floats = s.sums + round_up(rows, kLine);
    return s;
}

struct AttentionKernel {
    int32_t tile_rows;
    void (*run)(const AttentionArgs&);
};

using AttentionProvider = AttentionKernel();

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/attention/attention.inc"
#undef HADES_KERNEL

}  // namespace hades
