#pragma once
#include "kernels/bfloat/bfloat.h"
#include "simd/narrow.h"

// Formula          y = the upper half of x's bits, after adding half of its last bit, less one
// where
//                  that is even; see base/float16.h
// Registers        one vector and the constants
// Numerics         rounds once, so that all tiers give the same bits
namespace hades::HADES_ISA {

void narrow_bf16(const NarrowRun& run) {
    int64_t i = 0;
    if (run.x_stride == 1 && run.y_stride == 1)
        for (; i + kLanes <= run.n; i += kLanes) store_bf16(run.y + i, load(run.x + i));
    for (; i < run.n; ++i) run.y[i * run.y_stride] = to_bfloat16(run.x[i * run.x_stride]).bits;
}

}  // namespace hades::HADES_ISA
