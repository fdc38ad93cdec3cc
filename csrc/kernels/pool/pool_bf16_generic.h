#pragma once
// bfloat16, vectors along the channels of an output pixel. A maximum is one of the numbers seen, so
// that narrowing it again is exact; NaN never wins.
#include "kernels/pool/window.h"
#include "simd/narrow.h"

namespace hades::HADES_ISA {

// The largest of the window of an output pixel, of kLanes channels from `corner` on.
HADES_INLINE F32 largest_bf16(const PoolRowArgs& a, const Taps& vertical, const Taps& horizontal,
                              const uint16_t* corner) {
    F32 best = set1(-__builtin_inff());
    for (int64_t ky = vertical.first; ky < vertical.last; ++ky)
        for (int64_t kx = horizontal.first; kx < horizontal.last; ++kx)
            best = max(load_bf16(corner + ky * a.vertical.dilation * a.x_row +
                                 kx * a.horizontal.dilation * a.x_pixel),
                       best);
    return best;
}

HADES_INLINE uint16_t largest_bf16_of_one(const PoolRowArgs& a, const Taps& vertical,
                                          const Taps& horizontal, const uint16_t* corner) {
    float best = -__builtin_inff();
    for (int64_t ky = vertical.first; ky < vertical.last; ++ky)
        for (int64_t kx = horizontal.first; kx < horizontal.last; ++kx) {
            const float value = to_float(BFloat16{corner[ky * a.vertical.dilation * a.x_row +
                                                         kx * a.horizontal.dilation * a.x_pixel]});
            best = value > best ? value : best;
        }
    return to_bfloat16(best).bits;
}

void max_pool_bf16(const PoolRowArgs& a) {
    const Taps vertical = taps_of(a.vertical, a.row);
    for (int64_t ox = 0; ox < a.out_w; ++ox) {
        const Taps horizontal = taps_of(a.horizontal, ox);
        const auto* corner = static_cast<const uint16_t*>(a.x) + vertical.origin * a.x_row +
                             horizontal.origin * a.x_pixel;
        auto* y = static_cast<uint16_t*>(a.y) + ox * a.y_pixel;
        int64_t c = 0;
        for (; c + kLanes <= a.channels; c += kLanes)
            store_bf16(y + c, largest_bf16(a, vertical, horizontal, corner + c));
        for (; c < a.channels; ++c) y[c] = largest_bf16_of_one(a, vertical, horizontal, corner + c);
    }
}

}  // namespace hades::HADES_ISA
