"""bfloat16 in NumPy, which has none: the upper half of a float32, as uint16."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_bf16(x: NDArray[Any]) -> NDArray[np.uint16]:
    """The nearest bfloat16, ties to even; NaN stays NaN.

    Examples
    --------
    >>> [hex(bits) for bits in to_bf16(np.float32([1.0, -2.5]))]
    ['0x3f80', '0xc020']
    """
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    quiet = bits >> 16 | 0x40
    return np.where(np.isnan(x), quiet, rounded).astype(np.uint16)


def from_bf16(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """The same numbers as float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)
