"""The roof that a kernel is measured against, measured in the same process and close in time."""

from __future__ import annotations

from dataclasses import dataclass

from pyhades import _native


@dataclass(frozen=True)
class Roof:
    """Peak of one tier on a number of threads."""

    gflops: float
    gbs: float


_bandwidths: dict[tuple[str | None, int], float] = {}


def roof(isa: str | None = None, threads: int = 1) -> Roof:
    """Multiply-add peak in GFLOP/s, measured now (10 ms), and read bandwidth in GB/s.

    The bandwidth takes a good part of a second and is therefore measured once per tier and number
    of threads.
    """
    key = (isa, threads)
    if key not in _bandwidths:
        _bandwidths[key] = _native.measure_bandwidth_gbs(isa, threads)
    return Roof(_native.measure_peak_gflops(isa, threads), _bandwidths[key])


def float_peak(isa: str, threads: int) -> float:
    """Multiply-add peak of float32 in GFLOP/s, measured now."""
    return roof(isa, threads).gflops


def bfloat16_peak(isa: str, threads: int) -> float:
    """Peak of products of bfloat16 in GFLOP/s, measured now: float32's without instructions."""
    return _native.measure_peak_bf16_gflops(isa, threads)


def integer_peak(isa: str, threads: int) -> float:
    """Peak of products of bytes in GOP/s, measured now; the scalar tier's is that of its floats."""
    return _native.measure_peak_int8_gops(isa, threads) or float_peak(isa, threads)
