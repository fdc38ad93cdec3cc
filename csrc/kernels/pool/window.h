#pragma once
#include "base/macros.h"
#include "base/rounding.h"
#include "kernels/pool/pool.h"

namespace hades::HADES_ISA {

// The taps [first, last) of the window of output position o that lie inside the input.
struct Taps {
    int64_t origin, first, last;
};

HADES_INLINE int64_t taps_below(int64_t origin, int64_t limit, const PoolAxis& axis) {
    if (origin >= limit) return 0;
    // Most windows are inside; a division takes longer than their maximum.
    if (origin + (axis.kernel - 1) * axis.dilation < limit) return axis.kernel;
    const int64_t taps = ceil_div(limit - origin, axis.dilation);
    return taps < axis.kernel ? taps : axis.kernel;
}

HADES_INLINE Taps taps_of(const PoolAxis& axis, int64_t o) {
    const int64_t origin = o * axis.stride - axis.pad;
    return {origin, taps_below(origin, 0, axis), taps_below(origin, axis.in, axis)};
}

HADES_INLINE int64_t count_of(const PoolRowArgs& a, const Taps& vertical, const Taps& horizontal) {
    if (!a.count_include_pad)
        return (vertical.last - vertical.first) * (horizontal.last - horizontal.first);
    return taps_below(vertical.origin, a.vertical.padded_end, a.vertical) *
           taps_below(horizontal.origin, a.horizontal.padded_end, a.horizontal);
}

}  // namespace hades::HADES_ISA
