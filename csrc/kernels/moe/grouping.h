#pragma once
#include <cstdint>

#include "base/rounding.h"

namespace hades {

// Which rows go to which expert: pairs of (token, choice), sorted by expert and in order of tokens
// within one. Every worker makes its own copy, which is cheaper than to wait for somebody else's.
struct Grouping {
    int32_t* first;     // [experts + 1]: where an expert's rows begin
    int32_t* active;    // [experts]: the experts that have rows
    int32_t* token;     // [pairs]: of a row
    int32_t* position;  // [pairs]: the row of a pair token * k + choice
    int64_t active_count;

    static int64_t scratch_bytes(int64_t experts, int64_t pairs) {
        return round_up(2 * experts + 1 + 2 * pairs, 16) * 4;
    }
};

// ids [tokens, k].
Grouping group_by_expert(const int32_t* ids, int64_t tokens, int64_t k, int64_t experts,
                         int64_t most_pairs, void* scratch);

}  // namespace hades
