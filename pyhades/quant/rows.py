"""Quantised activations: int8 with a power-of-two scale per 32 columns ("q8 rows")."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.quant.formats import BLOCK

LEAST_EXPONENT = -100


def q8_row_bytes(k: int) -> int:
    """Bytes of a row of ``k`` quantised activations: values, scales and sums of the blocks."""
    return -(-(k + k // BLOCK * 8) // 64) * 64


def to_q8(x: NDArray[Any]) -> NDArray[np.uint8]:
    """Quantise rows, as the native kernels do.

    Parameters
    ----------
    x
        float32 ``[m, k]``, ``k`` a multiple of 32.

    Returns
    -------
    ndarray
        uint8 ``[m, q8_row_bytes(k)]``: k int8, k/32 float32 scales, k/32 int32 sums, zeros.
    """
    m, k = x.shape
    blocks = x.reshape(m, k // BLOCK, BLOCK)
    mantissa, exponent = np.frexp(np.abs(blocks).max(-1))
    # largest = 2 mantissa 2^(exponent - 1), to be at most 127/64 2^(e + 6).
    exponent = exponent - 7 + (mantissa > 127 / 128)
    exponent = np.maximum(np.where(mantissa == 0, LEAST_EXPONENT, exponent), LEAST_EXPONENT)
    values = np.rint(np.ldexp(blocks, -exponent[..., None])).astype(np.int8)
    rows = np.zeros((m, q8_row_bytes(k)), np.uint8)
    rows[:, :k] = values.reshape(m, k).view(np.uint8)
    scales = np.ldexp(np.float32(1), exponent).astype(np.float32)
    sums = values.sum(-1, dtype=np.int32)
    first, last = k + k // BLOCK * 4, k + k // BLOCK * 8
    rows[:, k:first] = scales.view(np.uint8)
    rows[:, first:last] = sums.view(np.uint8)
    return rows


def from_q8(rows: NDArray[np.uint8], k: int) -> NDArray[np.float32]:
    """What quantised rows stand for, float32 ``[m, k]``."""
    values = rows[:, :k].view(np.int8).astype(np.float32).reshape(len(rows), k // BLOCK, BLOCK)
    scales = np.ascontiguousarray(rows[:, k : k + k // BLOCK * 4]).view(np.float32)
    return (values * scales[..., None]).reshape(len(rows), k)
