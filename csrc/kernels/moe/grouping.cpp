#include "kernels/moe/grouping.h"

#include <algorithm>

namespace hades {

Grouping group_by_expert(const int32_t* ids, int64_t tokens, int64_t k, int64_t experts,
                         int64_t most_pairs, void* scratch) {
    Grouping g = {};
    g.first = static_cast<int32_t*>(scratch);
    g.active = g.first + experts + 1;
    g.token = g.active + experts;
    g.position = g.token + most_pairs;
    const int64_t pairs = tokens * k;
    std::fill(g.first, g.first + experts + 1, 0);
    for (int64_t pair = 0; pair < pairs; ++pair) ++g.first[ids[pair] + 1];
    for (int64_t e = 0; e < experts; ++e) {
        if (g.first[e + 1] > 0) g.active[g.active_count++] = static_cast<int32_t>(e);
        g.first[e + 1] += g.first[e];
    }
    // Filling moves each beginning to the next expert's, so it is moved back afterwards.
    for (int64_t pair = 0; pair < pairs; ++pair) {
        const int32_t row = g.first[ids[pair]]++;
        g.token[row] = static_cast<int32_t>(pair / k);
        g.position[pair] = row;
    }
    for (int64_t e = experts; e > 0; --e) g.first[e] = g.first[e - 1];
    g.first[0] = 0;
    return g;
}

}  // namespace hades
