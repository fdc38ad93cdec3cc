#pragma once
// One vocabulary of vector operations for all tiers. A generic kernel is written once over F32 and
// compiled per translation unit with HADES_ISA=<tier> (set by setup.py from the file name), inside
// namespace hades::HADES_ISA, so that no two tiers ever share a symbol.
//
//   kLanes, kRegisters       floats of a vector, and vectors that registers hold
//   F32                      kLanes floats;  I32: as many int32;  Mask: one bool per lane
//   load, load_n, store, store_n      unaligned; the _n forms touch exactly n <= kLanes elements
//                                     (masked, never past the end) and load zeros elsewhere
//   set1, zero, + - * /, fma(a, b, c) = a * b + c, fnma(a, b, c) = c - a * b
//   accumulate(sum, a, b)             sum = fma(a, b, sum) in the register where sum lives:
//   compilers
//                                     that may choose another fill unrolled loops with moves
//   min, max, abs, sqrt, floor, ceil, round_even, select(mask, a, b) = mask ? a : b
//   negate, copysign(magnitude, sign), ldexp(a, n) = a * 2^n for whole n in [-200, 200]
//   without(mask, a)                  a, and zeros where the mask is true
//   keep_first(a, n)                  zeros in all lanes but the first n
//   less, less_equal, equal, is_nan, sum, max_of, min_of;  masks: & | and invert
//   gather(base, indices), to_i32 (nearest even), to_f32, shift_left<n>, bits_to_f32, f32_to_bits
//   load_u8, load_u8_n, store_u8, store_u8_n   between uint8 memory and F32 (saturating, nearest
//   even)
//
// min and max return the second operand when one is NaN, as the x86 instructions do.

#if !defined(HADES_ISA)
#error "HADES_ISA names the tier of this translation unit; setup.py derives it from the file name"
#endif

#if defined(HADES_TIER_AVX512)
#include "simd/simd_avx512.h"
#elif defined(HADES_TIER_AVX2)
#include "simd/simd_avx2.h"
#else
#include "simd/simd_scalar.h"
#endif
