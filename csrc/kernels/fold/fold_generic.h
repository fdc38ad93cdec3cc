#pragma once
// A line gathers from every tap that sees it, so that lines are independent of one another. Its
// positions are sorted by their remainder modulo the stride: those of one remainder read blocks
// side by side, and whole vectors are added. At the end the remainders are interleaved again.
//
// Numerics            sums run over taps in order, the last axis innermost
#include "kernels/fold/fold.h"
#include "simd/simd.h"

namespace hades::HADES_ISA {

// to[i] += from[i] for i < n.
HADES_INLINE void add_run(float* to, const float* from, int64_t n) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) store(to + i, load(to + i) + load(from + i));
    const int rest = static_cast<int>(n - i);
    if (rest > 0) store_n(to + i, load_n(to + i, rest) + load_n(from + i, rest), rest);
}

void fold_f32(const FoldLineArgs& a) {
    const FoldAxis &deep = a.axes[0], &tall = a.axes[1], &wide = a.axes[2];
    const int64_t length = phase_length(wide), total = length * wide.stride;
    for (int64_t i = 0; i < total; i += kLanes)
        store_n(a.sums + i, zero(), total - i < kLanes ? static_cast<int>(total - i) : kLanes);
    const int64_t plane = tall.blocks * wide.blocks, tap_step = deep.blocks * plane;
    for (int64_t u = 0; u < deep.kernel; ++u) {
        const int64_t layer = a.blocks[0][u];
        if (layer < 0) continue;
        for (int64_t v = 0; v < tall.kernel; ++v) {
            const int64_t row = a.blocks[1][v];
            if (row < 0) continue;
            const int64_t tap = (u * tall.kernel + v) * wide.kernel;
            const float* columns = a.columns + tap * tap_step + layer * plane + row * wide.blocks;
            for (int64_t w = 0; w < wide.kernel; ++w, columns += tap_step)
                add_run(a.sums + a.runs[w].sum, columns + a.runs[w].block, a.runs[w].count);
        }
    }
    for (int64_t phase = 0; phase < wide.stride && phase < wide.extent; ++phase) {
        const float* sums = a.sums + phase * length;
        for (int64_t i = phase; i < wide.extent; i += wide.stride) a.y[i * a.y_pixel] = *sums++;
    }
}

}  // namespace hades::HADES_ISA
