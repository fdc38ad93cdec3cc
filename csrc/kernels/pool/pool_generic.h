#pragma once
// One output pixel at a time, vectors along its channels: the taps of a window are whole pixels, so
// that every load is contiguous. Four accumulators per step hide the latency of max and add.
#include "kernels/pool/window.h"
#include "simd/simd.h"

namespace hades::HADES_ISA {

struct Maximum {
    HADES_INLINE F32 start() { return set1(-__builtin_inff()); }
    HADES_INLINE F32 combine(F32 best, F32 value) { return max(value, best); }
    HADES_INLINE F32 finish(F32 best, F32) { return best; }
};

struct Mean {
    HADES_INLINE F32 start() { return zero(); }
    HADES_INLINE F32 combine(F32 total, F32 value) { return total + value; }
    HADES_INLINE F32 finish(F32 total, F32 count) { return total / count; }
};

template <class Op>
HADES_INLINE void pool_pixel(const PoolRowArgs& a, const Taps& vertical, const Taps& horizontal,
                             float* y) {
    const int64_t row_step = a.vertical.dilation * a.x_row;
    const int64_t pixel_step = a.horizontal.dilation * a.x_pixel;
    const float* corner =
        static_cast<const float*>(a.x) + vertical.origin * a.x_row + horizontal.origin * a.x_pixel;
    const int64_t taps = count_of(a, vertical, horizontal);
    const F32 count = set1(static_cast<float>(taps > 0 ? taps : 1));
    int64_t c = 0;
    for (; c + 4 * kLanes <= a.channels; c += 4 * kLanes) {
        F32 best[4] = {Op::start(), Op::start(), Op::start(), Op::start()};
        for (int64_t ky = vertical.first; ky < vertical.last; ++ky) {
            for (int64_t kx = horizontal.first; kx < horizontal.last; ++kx) {
                const float* x = corner + ky * row_step + kx * pixel_step + c;
                for (int i = 0; i < 4; ++i) best[i] = Op::combine(best[i], load(x + i * kLanes));
            }
        }
        for (int i = 0; i < 4; ++i) store(y + c + i * kLanes, Op::finish(best[i], count));
    }
    for (; c < a.channels; c += kLanes) {
        const int lanes = a.channels - c < kLanes ? static_cast<int>(a.channels - c) : kLanes;
        F32 best = Op::start();
        for (int64_t ky = vertical.first; ky < vertical.last; ++ky)
            for (int64_t kx = horizontal.first; kx < horizontal.last; ++kx)
                best =
                    Op::combine(best, load_n(corner + ky * row_step + kx * pixel_step + c, lanes));
        store_n(y + c, Op::finish(best, count), lanes);
    }
}

template <class Op>
HADES_INLINE void pool_row(const PoolRowArgs& a) {
    const Taps vertical = taps_of(a.vertical, a.row);
    for (int64_t ox = 0; ox < a.out_w; ++ox)
        pool_pixel<Op>(a, vertical, taps_of(a.horizontal, ox),
                       static_cast<float*>(a.y) + ox * a.y_pixel);
}

// The maximum and its place, vectors along channels: a place is counted within a plane, so that it
// fits a lane. The first largest element in row-major order wins; NaN never does.
HADES_INLINE void locate_maximum(const PoolRowArgs& a, const Taps& vertical, const Taps& horizontal,
                                 int64_t c, int64_t ox) {
    const int lanes = a.channels - c < kLanes ? static_cast<int>(a.channels - c) : kLanes;
    const float* x = static_cast<const float*>(a.x) + c;
    const auto place_of = [&](int64_t h, int64_t w) {
        return set1(static_cast<int32_t>(h * a.index_row + w * a.index_pixel));
    };
    F32 best = set1(-__builtin_inff());
    F32 place = bits_to_f32(place_of(vertical.origin + vertical.first * a.vertical.dilation,
                                     horizontal.origin + horizontal.first * a.horizontal.dilation));
    for (int64_t ky = vertical.first; ky < vertical.last; ++ky) {
        const int64_t h = vertical.origin + ky * a.vertical.dilation;
        for (int64_t kx = horizontal.first; kx < horizontal.last; ++kx) {
            const int64_t w = horizontal.origin + kx * a.horizontal.dilation;
            const F32 value = load_n(x + h * a.x_row + w * a.x_pixel, lanes);
            const Mask wins = less(best, value);
            best = select(wins, value, best);
            place = select(wins, bits_to_f32(place_of(h, w)), place);
        }
    }
    store_n(static_cast<float*>(a.y) + ox * a.y_pixel + c, best, lanes);
    int32_t places[kLanes];
    store(places, f32_to_bits(place));
    int64_t* indices = a.indices + ox * a.i_pixel + c * a.i_channel;
    for (int lane = 0; lane < lanes; ++lane)
        indices[lane * a.i_channel] = a.index_base + (c + lane) * a.index_channel + places[lane];
}

void max_pool_indices_f32(const PoolRowArgs& a) {
    const Taps vertical = taps_of(a.vertical, a.row);
    for (int64_t ox = 0; ox < a.out_w; ++ox) {
        const Taps horizontal = taps_of(a.horizontal, ox);
        for (int64_t c = 0; c < a.channels; c += kLanes)
            locate_maximum(a, vertical, horizontal, c, ox);
    }
}

void max_pool_f32(const PoolRowArgs& a) { pool_row<Maximum>(a); }
void average_pool_f32(const PoolRowArgs& a) { pool_row<Mean>(a); }

}  // namespace hades::HADES_ISA
