#pragma once
// Bytes, vectors along the channels of an output pixel. Maxima are of bytes themselves, four times
// as many at a time as floats; means are those of what bytes stand for, in float32.
#include "kernels/pool/window.h"
#include "simd/bytes.h"
#include "simd/points.h"

namespace hades::HADES_ISA {

// The taps of one output pixel: visit(address of the first channel).
template <class Visit>
HADES_INLINE void for_each_tap(const PoolRowArgs& a, const Taps& vertical, const Taps& horizontal,
                               const Visit& visit) {
    const auto* corner = static_cast<const uint8_t*>(a.x) + vertical.origin * a.x_row +
                         horizontal.origin * a.x_pixel;
    for (int64_t ky = vertical.first; ky < vertical.last; ++ky)
        for (int64_t kx = horizontal.first; kx < horizontal.last; ++kx)
            visit(corner + ky * a.vertical.dilation * a.x_row +
                  kx * a.horizontal.dilation * a.x_pixel);
}

void max_pool_u8(const PoolRowArgs& a) {
    constexpr int kBytes = 4 * kLanes;
    const Taps vertical = taps_of(a.vertical, a.row);
    for (int64_t ox = 0; ox < a.out_w; ++ox) {
        const Taps horizontal = taps_of(a.horizontal, ox);
        uint8_t* y = static_cast<uint8_t*>(a.y) + ox * a.y_pixel;
        int64_t c = 0;
        for (; c + kBytes <= a.channels; c += kBytes) {
            Bytes best = {};
            for_each_tap(a, vertical, horizontal,
                         [&](const uint8_t* x) { best = max_u8(best, load_bytes(x + c)); });
            store_bytes(y + c, best);
        }
        const int left = static_cast<int>(a.channels - c);
        if (left == 0) continue;
        Bytes best = {};
        for_each_tap(a, vertical, horizontal,
                     [&](const uint8_t* x) { best = max_u8(best, load_bytes_n(x + c, left)); });
        store_bytes_n(y + c, best, left);
    }
}

void average_pool_u8(const PoolRowArgs& a) {
    const Taps vertical = taps_of(a.vertical, a.row);
    const F32 zero_point = set1(a.x_zero), scale = set1(a.x_scale);
    for (int64_t ox = 0; ox < a.out_w; ++ox) {
        const Taps horizontal = taps_of(a.horizontal, ox);
        uint8_t* y = static_cast<uint8_t*>(a.y) + ox * a.y_pixel;
        const int64_t count = count_of(a, vertical, horizontal);
        const F32 divisor = set1(static_cast<float>(count > 0 ? count : 1));
        for (int64_t c = 0; c < a.channels; c += kLanes) {
            const int lanes = a.channels - c < kLanes ? static_cast<int>(a.channels - c) : kLanes;
            F32 sum = zero();
            for_each_tap(a, vertical, horizontal, [&](const uint8_t* x) {
                sum = sum + (load_byte_lanes(x + c, lanes) - zero_point) * scale;
            });
            F32 mean = sum / divisor;
            if (a.y_scale != 1.0f) mean = mean / set1(a.y_scale);
            store_byte_lanes(y + c, nearest_point(mean, a.y_zero), lanes);
        }
    }
}

}  // namespace hades::HADES_ISA
