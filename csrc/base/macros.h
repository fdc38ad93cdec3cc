#pragma once

// The only way to put a function into a header that an ISA translation unit includes: anything with
// external linkage could be merged by the linker into code that runs on older CPUs.
//
// Emulated instructions are calls: each is many, and kernels full of them compile for half an hour.
#if defined(HADES_EMULATED)
#define HADES_INLINE static __attribute__((noinline, unused))
#else
#define HADES_INLINE static inline __attribute__((always_inline))
#endif

#define HADES_RESTRICT __restrict__

// For tables of macros: HADES_IF_##column(code) is the code where the column says yes.
#define HADES_IF_yes(...) __VA_ARGS__
#define HADES_IF_no(...)
