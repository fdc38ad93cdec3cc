#pragma once
#include <cstdint>

#include "base/isa.h"

// What a core can do at most: registers alone, and memory alone. The runtime measures them, as the
// roof that the share of peak in traces and benchmarks is taken of.
namespace hades {

// Arithmetic in registers only, `rounds` times; `sink` gets the sum of all chains, so that none of
// it can be left out.
struct RoofChains {
    int64_t operations;  // of a round; a multiplication and an addition are two
    void (*run)(int64_t rounds, float* sink);
};

using RoofProvider = RoofChains();

// Reads `count` floats once, a multiple of kRoofFloats; `sink` gets their sum.
using RoofRead = void(const float* data, int64_t count, float* sink);
constexpr int64_t kRoofFloats = 64;

struct RoofKernels {
    RoofChains multiply_add, dot, dot_bf16;
    RoofRead* read;
};

RoofKernels roof_kernels(IsaMask allowed);

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/roof/roof.inc"
#undef HADES_KERNEL

}  // namespace hades
