#pragma once
#include "kernels/suppression/suppression.h"
#include "simd/simd.h"
#include "simd/sum.h"

// A heap gives the candidates from the best score down, the lower index first among equals, as far
// as they are needed. Each is compared with all boxes kept so far, a vector of them at a time:
// corners and areas of those stand in columns. The arithmetic is that of onnxruntime, operation by
// operation, so that a box next to the threshold falls to the same side.
namespace hades::HADES_ISA {

struct Corners {
    float low0, low1, high0, high1;
};

HADES_INLINE float smaller(float a, float b) { return a < b ? a : b; }
HADES_INLINE float larger(float a, float b) { return a > b ? a : b; }

HADES_INLINE Corners corners_of(const SuppressArgs& a, int64_t index) {
    const float* b = a.boxes + index * a.box;
    if (a.centred) {
        const float half0 = b[2] / 2.0f, half1 = b[3] / 2.0f;
        return {b[0] - half0, b[1] - half1, b[0] + half0, b[1] + half1};
    }
    return {smaller(b[0], b[2]), smaller(b[1], b[3]), larger(b[0], b[2]), larger(b[1], b[3])};
}

HADES_INLINE float score_of(const SuppressArgs& a, int32_t index) {
    const float score = a.scores[index];
    return score == score ? score : -__builtin_inff();
}

HADES_INLINE bool is_better(const SuppressArgs& a, int32_t i, int32_t j) {
    const float x = score_of(a, i), y = score_of(a, j);
    return x > y || (x == y && i < j);
}

// Lets order[at] sink to its place in the heap.
static void sink(const SuppressArgs& a, int64_t at, int64_t count) {
    const int32_t index = a.order[at];
    for (int64_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && is_better(a, a.order[child + 1], a.order[child])) ++child;
        if (!is_better(a, a.order[child], index)) break;
        a.order[at] = a.order[child];
        at = child;
    }
    a.order[at] = index;
}

static int64_t fill_heap(const SuppressArgs& a) {
    int64_t count = 0;
    for (int64_t i = 0; i < a.n; ++i)
        if (!a.has_least || a.scores[i] > a.least) a.order[count++] = static_cast<int32_t>(i);
    for (int64_t at = count / 2; at-- > 0;) sink(a, at, count);
    return count;
}

// Whether a box overlaps one of `count` kept ones by more than the threshold. Boxes without area
// overlap nothing.
static bool is_suppressed(const SuppressArgs& a, const Corners& box, float area, int64_t count) {
    if (!(area > 0.0f)) return false;
    const float* low0 = a.kept;
    const float *low1 = low0 + a.room, *high0 = low1 + a.room, *high1 = high0 + a.room;
    const float* areas = high1 + a.room;
    for (int64_t i = 0; i < count; i += kLanes) {
        const int lanes = lanes_left(i, count);
        const F32 side0 = min(set1(box.high0), load_n(high0 + i, lanes)) -
                          max(set1(box.low0), load_n(low0 + i, lanes));
        const F32 side1 = min(set1(box.high1), load_n(high1 + i, lanes)) -
                          max(set1(box.low1), load_n(low1 + i, lanes));
        const F32 others = load_n(areas + i, lanes);
        const F32 shared = side0 * side1;
        const F32 whole = set1(area) + others - shared;
        const Mask meets = less(zero(), side0) & less(zero(), side1) & less(zero(), others) &
                           less(zero(), whole) & less(set1(a.overlap), shared / whole);
        // Lanes beyond the last box have no area.
        if (max_of(select(meets, set1(1.0f), zero())) > 0.0f) return true;
    }
    return false;
}

static void keep(const SuppressArgs& a, const Corners& box, float area, int64_t at) {
    const float columns[] = {box.low0, box.low1, box.high0, box.high1, area};
    for (int column = 0; column < 5; ++column) a.kept[column * a.room + at] = columns[column];
}

int64_t suppress_f32(const SuppressArgs& a) {
    if (a.most <= 0) return 0;
    int64_t kept = 0;
    for (int64_t left = fill_heap(a); left > 0 && kept < a.most;) {
        const int32_t best = a.order[0];
        a.order[0] = a.order[--left];
        if (left > 0) sink(a, 0, left);
        const Corners box = corners_of(a, best);
        const float area = (box.high0 - box.low0) * (box.high1 - box.low1);
        if (is_suppressed(a, box, area, kept)) continue;
        keep(a, box, area, kept);
        a.chosen[kept++] = best;
    }
    return kept;
}

}  // namespace hades::HADES_ISA
