#pragma once
#include "kernels/requantize/requantize.h"
#include "simd/points.h"

// Formula          requantize, see requantize.h
// Registers        one vector and the constants
// Numerics         binding has tried the factor on all bytes, so that results are those of the
// table
namespace hades::HADES_ISA {

void requantize_u8(const GridRun& run) {
    const auto* x = static_cast<const uint8_t*>(run.x);
    auto* y = static_cast<uint8_t*>(run.y);
    int64_t i = 0;
    if (run.factor != 0.0f && run.x_stride == 1 && run.y_stride == 1) {
        const F32 factor = set1(run.factor), zero_point = set1(static_cast<float>(run.zero));
        for (; i < run.n; i += kLanes) {
            const int lanes = run.n - i < kLanes ? static_cast<int>(run.n - i) : kLanes;
            const F32 v = (load_byte_lanes(x + i, lanes) - zero_point) * factor;
            store_byte_lanes(y + i, nearest_point(v, run.y_zero), lanes);
        }
    }
    for (; i < run.n; ++i) y[i * run.y_stride] = run.table[x[i * run.x_stride]];
}

}  // namespace hades::HADES_ISA
