#pragma once

namespace hades {

// What pointwise programs can compute, see functions.inc.
struct MapFunction {
    const char* name;
    int arity;
    int number;
};

constexpr MapFunction kMapFunctions[] = {
#define HADES_FUNCTION(name, arity, number) {#name, arity, number},
#include "kernels/elementwise/functions.inc"
#undef HADES_FUNCTION
};
constexpr int kMapFunctionCount = sizeof kMapFunctions / sizeof kMapFunctions[0];

}  // namespace hades
