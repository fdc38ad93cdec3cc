"""Memory that is used again from picture to picture."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Buffers(Protocol):
    """Where arrays come from."""

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """An array with whatever content."""


class FreshBuffers:
    """New arrays each time, which belong to whoever gets them."""

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """A new array."""
        return np.empty(shape, dtype)


class KeptBuffers:
    """One block of memory per name, which grows and is never given back.

    An array is good until the next one of its name. For one thread, and for pictures whose results
    leave before the next picture comes.

    Examples
    --------
    >>> buffers = KeptBuffers()
    >>> small = buffers.array("alpha", (2, 3), np.uint8)
    >>> np.shares_memory(small, buffers.array("alpha", (3, 2), np.uint8))
    True
    """

    def __init__(self) -> None:
        self._blocks: dict[str, NDArray[np.uint8]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """The block of a name as an array; a larger one where it does not suffice."""
        kind = np.dtype(dtype)
        nbytes = int(np.prod(shape)) * kind.itemsize
        block = self._blocks.get(name)
        if block is None or block.nbytes < nbytes:
            # A little more, so that pictures of almost one size do not each get a new one.
            block = self._blocks[name] = np.empty(nbytes + nbytes // 8, np.uint8)
        return block[:nbytes].view(kind).reshape(shape)

    @property
    def nbytes(self) -> int:
        """Of all blocks."""
        return sum(block.nbytes for block in self._blocks.values())


FRESH: Buffers = FreshBuffers()
