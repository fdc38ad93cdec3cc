#pragma once
#include "kernels/qgemm/qgemm.h"
#include "simd/epilogue.h"

namespace hades::HADES_ISA {

HADES_INLINE void finish(const QgemmTilesArgs& a) {
    if (!a.epilogue) return;
    const QgemmEpilogue& e = *a.epilogue;
    for (int64_t i = 0; i < a.m; ++i)
        for (int64_t c = 0; c < e.columns; c += kLanes) {
            const int n = static_cast<int>(e.columns - c < kLanes ? e.columns - c : kLanes);
            F32 value = load_n(a.acc + i * a.tiles * kTileRows + c, n);
            if (e.bias) value = value + load_n(e.bias + c, n);
            value = apply(e.activation, value);
            if (e.residual) value = value + load_n(e.residual + i * e.residual_stride + c, n);
            store_n(e.y + i * e.y_stride + c, value, n);
        }
}

}  // namespace hades::HADES_ISA
