"""What the blocks of all types are made of: scales, nibbles, single bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Array = NDArray[Any]

IQ4_VALUES = np.array(
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.int8
)
"""What the codes of IQ4_NL and IQ4_XS mean."""


def half(blocks: Bytes, at: int) -> Array:
    """The float16 at byte ``at`` of every block: ``[..., blocks]``."""
    return np.ascontiguousarray(blocks[..., at : at + 2]).view(np.float16)[..., 0]


def halves_of_bytes(codes: Bytes) -> Bytes:
    """The nibbles of some bytes: all low ones, and then all high ones."""
    return np.concatenate([codes & np.uint8(15), codes >> np.uint8(4)], axis=-1)


def fields(codes: Bytes, bits: int) -> Bytes:
    """The fields of ``bits`` bits of the bytes ``[..., n]``, lowest first: ``[..., 8 / bits, n]``.

    Field i of byte j comes out at ``[..., i, j]``.
    """
    shifts = np.arange(0, 8, bits, dtype=np.uint8)[:, None]
    return codes[..., None, :] >> shifts & np.uint8((1 << bits) - 1)
