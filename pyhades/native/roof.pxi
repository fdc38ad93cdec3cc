# What this machine can do at best, measured. No benchmark goes without, so that here is the place
# to refuse those that would time instructions which the CPU does not have.

cimport pyhades._hades as roof

from pyhades.arguments import check_count


cdef uint32_t timed_features(isa) except? 0xffffffff:
    """Features that ``isa`` allows; raises where a build for tests emulates some of them."""
    cdef uint32_t allowed = features_of(isa)
    if allowed & emulated_isa():
        raise ConfigurationError(
            f"isa={tier_name(isa)!r} is emulated by this build, which is for tests, and its times "
            "mean nothing; build without PYHADES_EMULATE"
        )
    return allowed


def measure_peak_gflops(isa=None, int threads=1):
    """Multiply-add throughput of registers alone, summed over threads, in GFLOP/s (10 ms)."""
    check_count("threads", threads)
    cdef uint32_t allowed = timed_features(isa)
    cdef double gflops
    with nogil:
        gflops = roof.measure_peak_gflops(allowed, threads)
    return gflops


def measure_peak_int8_gops(isa=None, int threads=1):
    """Throughput of int8 dot products in registers, summed over threads, in GOP/s; 0 if scalar."""
    check_count("threads", threads)
    cdef uint32_t allowed = timed_features(isa)
    cdef double gops
    with nogil:
        gops = roof.measure_peak_int8_gops(allowed, threads)
    return gops


def measure_peak_bf16_gflops(isa=None, int threads=1):
    """Throughput of products of bfloat16 in registers, summed over threads, in GFLOP/s."""
    check_count("threads", threads)
    cdef uint32_t allowed = timed_features(isa)
    cdef double gflops
    with nogil:
        gflops = roof.measure_peak_bf16_gflops(allowed, threads)
    return gflops


def measure_bandwidth_gbs(isa=None, int threads=1, int64_t nbytes=256 << 20, int passes=5):
    """Read rate of memory, summed over threads, in GB/s: median of passes over ``nbytes``."""
    check_count("threads", threads)
    check_count("nbytes", nbytes)
    check_count("passes", passes)
    cdef uint32_t allowed = timed_features(isa)
    cdef double gbs
    with nogil:
        gbs = roof.measure_bandwidth_gbs(allowed, threads, nbytes, passes)
    return gbs
