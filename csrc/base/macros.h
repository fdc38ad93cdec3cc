#pragma once

// The only way to put a function into a header that an ISA translation unit includes: anything with
// external linkage could be merged by the linker into code that runs on older CPUs.
#define HADES_INLINE static inline __attribute__((always_inline))

#define HADES_RESTRICT __restrict__

// For tables of macros: HADES_IF_##column(code) is the code where the column says yes.
#define HADES_IF_yes(...) __VA_ARGS__
#define HADES_IF_no(...)
