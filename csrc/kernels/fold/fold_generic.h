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

// The block whose tap lies at `position` of an axis, or -1.
HADES_INLINE int64_t block_at(const FoldAxis& axis, int64_t position, int64_t tap) {
    const int64_t start = position + axis.pad - tap * axis.dilation;
    if (start < 0 || start % axis.stride != 0) return -1;
    const int64_t block = start / axis.stride;
    return block < axis.blocks ? block : -1;
}

// Adds the blocks of one row, tap by tap of the last axis; `columns` is the first tap's.
static void add_row(const FoldLineArgs& a, const float* columns, int64_t tap_step) {
    const FoldAxis& axis = a.axes[kFoldAxes - 1];
    const int64_t length = phase_length(axis);
    for (int64_t tap = 0; tap < axis.kernel; ++tap, columns += tap_step) {
        const int64_t shift = tap * axis.dilation - axis.pad;  // where block 0 lands
        const int64_t phase = ((shift % axis.stride) + axis.stride) % axis.stride;
        const int64_t first = (shift - phase) / axis.stride;
        // Positions of this remainder inside the image.
        const int64_t room = (axis.extent - phase + axis.stride - 1) / axis.stride;
        const int64_t begin = first < 0 ? -first : 0;
        const int64_t end = axis.blocks < room - first ? axis.blocks : room - first;
        if (begin < end)
            add_run(a.sums + phase * length + first + begin, columns + begin, end - begin);
    }
}

void fold_f32(const FoldLineArgs& a) {
    const FoldAxis &deep = a.axes[0], &tall = a.axes[1], &wide = a.axes[2];
    const int64_t length = phase_length(wide), total = length * wide.stride;
    for (int64_t i = 0; i < total; i += kLanes)
        store_n(a.sums + i, zero(), total - i < kLanes ? static_cast<int>(total - i) : kLanes);
    const int64_t plane = tall.blocks * wide.blocks, tap_step = deep.blocks * plane;
    for (int64_t u = 0; u < deep.kernel; ++u) {
        const int64_t layer = block_at(deep, a.at[0], u);
        if (layer < 0) continue;
        for (int64_t v = 0; v < tall.kernel; ++v) {
            const int64_t row = block_at(tall, a.at[1], v);
            if (row < 0) continue;
            const int64_t tap = (u * tall.kernel + v) * wide.kernel;
            add_row(a, a.columns + tap * tap_step + layer * plane + row * wide.blocks, tap_step);
        }
    }
    for (int64_t phase = 0; phase < wide.stride && phase < wide.extent; ++phase) {
        const float* sums = a.sums + phase * length;
        for (int64_t i = phase; i < wide.extent; i += wide.stride) a.y[i * a.y_pixel] = *sums++;
    }
}

}  // namespace hades::HADES_ISA
