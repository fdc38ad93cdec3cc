#pragma once
#include "kernels/tile/packed_product.h"

// Products of activations [m, k] and a packed quantised matrix [n, k], transposed.
//
// Integer kernels ("_q8") take int8 activations with a power-of-two scale per block of 32. For each
// row of the result, in ascending blocks: dot = the exact int32 product of 32 weights and
// activations, acc = fma(dot, scale of weights * scale of activations, acc). That order is the same
// for any number of rows m and in every tier, so results are equal to the last bit.
// Float kernels ("_f32") decode weights exactly and accumulate acc = fma(weight, activation, acc)
// in ascending columns.
namespace hades {

#define HADES_KERNEL(function, type, tier_name) \
    namespace tier_name {                       \
    type function;                              \
    }
#include "kernels/qgemm/qgemm.inc"
#undef HADES_KERNEL

}  // namespace hades
