#pragma once
#include <cstdint>

#include "base/isa.h"

// What this machine can do at most, for the "share of peak" of traces and benchmarks. Clocks and
// memory bandwidth of shared servers wander by a factor of two within minutes, so a share is only
// meaningful against a roof that was measured in the same process, close in time.
namespace hades {

// Sum over all threads of fp32 multiply-add throughput, in GFLOP/s (best of several short rounds).
double measure_peak_gflops(IsaMask allowed, int threads);

// Sum over all threads of the throughput of int8 dot products with int32 sums, a multiplication and
// an addition counted as two, in GOP/s (best of several short rounds); 0 in the scalar tier.
double measure_peak_int8_gops(IsaMask allowed, int threads);

// Sum over all threads of the throughput of products of bfloat16 with float32 sums, in GFLOP/s
// (best of several short rounds); that of float32 where the tier has no instruction for them.
double measure_peak_bf16_gflops(IsaMask allowed, int threads);

// Sum over all threads of the rate at which memory is read, in GB/s: median of `passes` passes of
// each thread over its share of `bytes`, which lie on huge pages.
double measure_bandwidth_gbs(IsaMask allowed, int threads, int64_t bytes, int passes);

}  // namespace hades
