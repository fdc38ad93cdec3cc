#pragma once
// Two steps per block of positions. First the taps along each axis, vectors over positions: an
// index inside the image and a weight, zero where the tap is outside and padding is zeros. Then the
// weighted sums: vectors over the channels of a tap where they are contiguous, else vectors over
// positions, whose taps are gathered plane by plane.
//
// Numerics            sums run over taps in order, z outermost; a tap of weight zero is not read,
//                     so that what is infinite there does no harm
// Registers           channels: two sums, a tap, a weight; planes: a sum, a gather, a weight
#include "kernels/grid/grid.h"
#include "simd/math.h"

namespace hades::HADES_ISA {

struct AxisTaps {
    int count;
    int32_t index[kGridTaps][kGridBlock];
    float weight[kGridTaps][kGridBlock];
};

struct Bounds {
    F32 low, high, last;  // `last` is the last pixel
    GridPadding padding;
};

HADES_INLINE F32 reflected(const Bounds& b, F32 x) {
    const F32 span = b.high - b.low, period = span + span;
    const F32 from_low = abs(x - b.low);
    const F32 rest = from_low - floor(from_low / period) * period;
    return select(less(zero(), span), b.low + min(rest, period - rest), zero());
}

// Positions outside of [low, high] as the padding understands them.
HADES_INLINE F32 brought_back(const Bounds& b, F32 x) {
    if (b.padding == GridPadding::zeros)  // far enough for every tap to be outside
        return min(max(x, set1(-4.0f)), b.last + set1(4.0f));
    const Mask outside = less(x, b.low) | less(b.high, x);
    const F32 inside =
        b.padding == GridPadding::border ? min(max(x, zero()), b.last) : reflected(b, x);
    return select(outside, inside, x);
}

HADES_INLINE F32 cubic_near(F32 t) {
    return fma(fma(set1(1.25f), t, set1(-2.25f)) * t, t, set1(1.0f));
}
HADES_INLINE F32 cubic_far(F32 t) {
    return fma(fma(fma(set1(-0.75f), t, set1(3.75f)), t, set1(-6.0f)), t, set1(3.0f));
}

// The weights of the taps, `t` being the distance to the pixel before.
HADES_INLINE void weights_of(GridMode mode, F32 t, F32 (&weights)[kGridTaps]) {
    const F32 one = set1(1.0f);
    if (mode == GridMode::nearest) {
        weights[0] = one;
    } else if (mode == GridMode::linear) {
        weights[0] = one - t;
        weights[1] = t;
    } else {
        weights[0] = cubic_far(one + t);
        weights[1] = cubic_near(t);
        weights[2] = cubic_near(one - t);
        weights[3] = cubic_far(set1(2.0f) - t);
    }
}

HADES_INLINE int taps_of(GridMode mode) {
    return mode == GridMode::nearest ? 1 : mode == GridMode::linear ? 2 : 4;
}

static void find_taps(const GridBlockArgs& a, const GridAxis& axis, AxisTaps* taps) {
    float coordinates[kGridBlock];
    for (int64_t i = 0; i < a.count; ++i) coordinates[i] = a.grid[i * a.grid_position + axis.grid];
    const auto extent = static_cast<float>(axis.extent);
    const float margin = a.align_corners ? 0.0f : 0.5f;
    // Cubic taps meet the border one by one, not the position that they surround.
    const bool by_tap = a.mode == GridMode::cubic && a.padding == GridPadding::border;
    const Bounds bounds = {set1(-margin), set1(extent - 1.0f + margin), set1(extent - 1.0f),
                           by_tap ? GridPadding::zeros : a.padding};
    const F32 centre = set1((extent - 1.0f) * 0.5f);
    const F32 half = set1((extent - 1.0f) * 0.5f + margin);
    taps->count = taps_of(a.mode);
    for (int64_t i = 0; i < a.count; i += kLanes) {
        const int lanes = a.count - i < kLanes ? static_cast<int>(a.count - i) : kLanes;
        F32 x = fma(load_n(coordinates + i, lanes), half, centre);
        if (a.mode == GridMode::nearest) x = round_even(x);
        x = brought_back(bounds, x);
        const F32 before = floor(x);
        F32 weights[kGridTaps];
        weights_of(a.mode, x - before, weights);
        for (int tap = 0; tap < taps->count; ++tap) {
            const int offset = a.mode == GridMode::cubic ? tap - 1 : tap;
            F32 index = before + set1(static_cast<float>(offset));
            if (a.padding == GridPadding::zeros) {
                const Mask outside = less(index, zero()) | less(bounds.last, index);
                weights[tap] = select(outside, zero(), weights[tap]);
            } else if (a.padding == GridPadding::reflection) {
                index = brought_back(bounds, index);
            }
            index = min(max(index, zero()), bounds.last);
            store_n(taps->index[tap] + i, to_i32(index), lanes);
            store_n(taps->weight[tap] + i, weights[tap], lanes);
        }
    }
}

static void find_all_taps(const GridBlockArgs& a, AxisTaps (&taps)[kGridAxes]) {
    for (int axis = 0; axis < kGridAxes; ++axis) {
        if (axis >= a.first_axis) {
            find_taps(a, a.axes[axis], &taps[axis]);
            continue;
        }
        taps[axis].count = 1;
        for (int64_t i = 0; i < a.count; ++i)
            taps[axis].index[0][i] = 0, taps[axis].weight[0][i] = 1.0f;
    }
}

struct PixelTaps {
    int count;
    const float* pixels[kGridTaps * kGridTaps * kGridTaps];
    float weights[kGridTaps * kGridTaps * kGridTaps];
};

// The pixels that position i reads.
static void gather_taps(const GridBlockArgs& a, const AxisTaps (&taps)[kGridAxes], int64_t i,
                        PixelTaps* found) {
    found->count = 0;
    for (int u = 0; u < taps[0].count; ++u) {
        const float* volume = a.x + taps[0].index[u][i] * a.axes[0].x;
        for (int v = 0; v < taps[1].count; ++v) {
            const float* row = volume + taps[1].index[v][i] * a.axes[1].x;
            const float outer = taps[0].weight[u][i] * taps[1].weight[v][i];
            for (int w = 0; w < taps[2].count; ++w) {
                const float weight = outer * taps[2].weight[w][i];
                if (weight == 0.0f) continue;
                found->pixels[found->count] = row + taps[2].index[w][i] * a.axes[2].x;
                found->weights[found->count++] = weight;
            }
        }
    }
}

void grid_sample_channels_f32(const GridBlockArgs& a) {
    AxisTaps taps[kGridAxes];
    find_all_taps(a, taps);
    PixelTaps p;
    for (int64_t i = 0; i < a.count; ++i) {
        gather_taps(a, taps, i, &p);
        float* y = a.y + i * a.y_position;
        int64_t c = 0;
        for (; c + 2 * kLanes <= a.channels; c += 2 * kLanes) {
            F32 low = zero(), high = zero();
            for (int t = 0; t < p.count; ++t) {
                const F32 weight = set1(p.weights[t]);
                low = fma(load(p.pixels[t] + c), weight, low);
                high = fma(load(p.pixels[t] + c + kLanes), weight, high);
            }
            store(y + c, low);
            store(y + c + kLanes, high);
        }
        for (; c < a.channels; c += kLanes) {
            const int lanes = a.channels - c < kLanes ? static_cast<int>(a.channels - c) : kLanes;
            F32 total = zero();
            for (int t = 0; t < p.count; ++t)
                total = fma(load_n(p.pixels[t] + c, lanes), set1(p.weights[t]), total);
            store_n(y + c, total, lanes);
        }
    }
}

struct PlaneTaps {
    int count;
    int32_t offsets[kGridTaps * kGridTaps * kGridTaps][kLanes];
    float weights[kGridTaps * kGridTaps * kGridTaps][kLanes];
};

// The taps of positions [i, i + lanes); the other lanes have weight zero.
static void plane_taps(const GridBlockArgs& a, const AxisTaps (&taps)[kGridAxes], int64_t i,
                       int lanes, PlaneTaps* found) {
    found->count = 0;
    for (int u = 0; u < taps[0].count; ++u)
        for (int v = 0; v < taps[1].count; ++v)
            for (int w = 0; w < taps[2].count; ++w) {
                int32_t* offsets = found->offsets[found->count];
                float* weights = found->weights[found->count++];
                for (int lane = 0; lane < kLanes; ++lane) {
                    const int64_t at = lane < lanes ? i + lane : i;
                    const int64_t offset = taps[0].index[u][at] * a.axes[0].x +
                                           taps[1].index[v][at] * a.axes[1].x +
                                           taps[2].index[w][at] * a.axes[2].x;
                    const float weight =
                        taps[0].weight[u][at] * taps[1].weight[v][at] * taps[2].weight[w][at];
                    offsets[lane] = static_cast<int32_t>(offset);
                    weights[lane] = lane < lanes ? weight : 0.0f;
                }
            }
}

void grid_sample_planes_f32(const GridBlockArgs& a) {
    AxisTaps taps[kGridAxes];
    find_all_taps(a, taps);
    PlaneTaps p;
    for (int64_t i = 0; i < a.count; i += kLanes) {
        const int lanes = a.count - i < kLanes ? static_cast<int>(a.count - i) : kLanes;
        plane_taps(a, taps, i, lanes, &p);
        for (int64_t c = 0; c < a.channels; ++c) {
            const float* plane = a.x + c * a.x_channel;
            F32 total = zero();
            for (int t = 0; t < p.count; ++t) {
                const F32 weight = load(p.weights[t]);
                const F32 seen = gather(plane, load(p.offsets[t]));
                total = fma(select(equal(weight, zero()), zero(), seen), weight, total);
            }
            float* y = a.y + c * a.y_channel + i * a.y_position;
            if (a.y_position == 1) {
                store_n(y, total, lanes);
                continue;
            }
            float values[kLanes];
            store(values, total);
            for (int lane = 0; lane < lanes; ++lane) y[lane * a.y_position] = values[lane];
        }
    }
}

}  // namespace hades::HADES_ISA
