#pragma once
#include "simd/simd.h"

// Stores of whole cache lines past the caches. What is larger than these leaves them anyway before
// it is read, and a line that is not in them need not be fetched to be overwritten.
namespace hades::HADES_ISA {

#if defined(HADES_TIER_AVX512) && defined(__AVX512F__)

constexpr bool kStreams = true;
// `p` is at the begin of a line.
HADES_INLINE void stream(float* p, F32 a) { _mm512_stream_ps(p, a.v); }
// What has been streamed is seen by other threads after what is stored next.
HADES_INLINE void end_stream() { _mm_sfence(); }

#else

// Vectors that are no line would have to meet in the buffers that lines are collected in.
constexpr bool kStreams = false;
HADES_INLINE void stream(float* p, F32 a) { store(p, a); }
HADES_INLINE void end_stream() {}

#endif

}  // namespace hades::HADES_ISA
