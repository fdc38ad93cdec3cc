"""Floating-point numbers of eight bits and less, by tables of all their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def _values(exponent_bits: int, fraction_bits: int, bias: int) -> Array:
    """Value of every bit pattern, were there neither infinities nor NaN."""
    codes = np.arange(1 << (1 + exponent_bits + fraction_bits))
    fraction = (codes & ((1 << fraction_bits) - 1)) / (1 << fraction_bits)
    exponent = (codes >> fraction_bits) & ((1 << exponent_bits) - 1)
    magnitude = np.where(
        exponent > 0, np.ldexp(1 + fraction, exponent - bias), np.ldexp(fraction, 1 - bias)
    )
    sign = np.where(codes >> (exponent_bits + fraction_bits), -1.0, 1.0)
    return (sign * magnitude).astype(np.float32)


def _with(values: Array, exceptions: Mapping[int, float]) -> Array:
    for code, value in exceptions.items():
        values[code] = value
    return values


def _e5m2() -> Array:
    nans = dict.fromkeys([0x7D, 0x7E, 0x7F, 0xFD, 0xFE, 0xFF], np.nan)
    return _with(_values(5, 2, 15), {0x7C: np.inf, 0xFC: -np.inf, **nans})


def _e8m0() -> Array:
    return np.append(np.ldexp(np.float32(1), np.arange(255) - 127), np.float32(np.nan))


TABLES: Mapping[str, Array] = {
    "float8e4m3fn": _with(_values(4, 3, 7), {0x7F: np.nan, 0xFF: np.nan}),
    "float8e4m3fnuz": _with(_values(4, 3, 8), {0x80: np.nan}),
    "float8e5m2": _e5m2(),
    "float8e5m2fnuz": _with(_values(5, 2, 16), {0x80: np.nan}),
    "float8e8m0": _e8m0(),
    "float4e2m1": _values(2, 1, 1),
}
"""The float32 value of each code, by the name of the type."""
