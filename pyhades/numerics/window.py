"""Sliding windows over any number of spatial axes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from pyhades.numerics.array import Array


@dataclass(frozen=True)
class Window:
    """A window over the spatial axes; every tuple has one entry per axis."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads_begin: tuple[int, ...]
    pads_end: tuple[int, ...]

    @property
    def extents(self) -> tuple[int, ...]:
        """What one window covers, dilation included."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    def taps(self) -> Iterator[tuple[int, ...]]:
        """Every position in the kernel, row-major."""
        return product(*(range(k) for k in self.kernel))

    def seen_by(self, tap: tuple[int, ...], counts: Sequence[int]) -> Any:
        """Index of what kernel position ``tap`` sees of the padded input in ``counts`` windows."""
        zipped = zip(tap, self.dilations, self.strides, counts, strict=True)
        slices = (slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, s, n in zipped)
        return (..., *slices)

    def fitting(self, spatial: Sequence[int]) -> tuple[int, ...]:
        """How many windows fit the padded input, per axis."""
        sides = zip(
            spatial, self.pads_begin, self.pads_end, self.extents, self.strides, strict=True
        )
        return tuple((x + b + e - extent) // s + 1 for x, b, e, extent, s in sides)


def windows(x: Array, window: Window, counts: Sequence[int], fill: Any) -> Array:
    """Every window of ``x`` as [n, c, *counts, taps], positions outside being ``fill``.

    ``counts`` may ask for windows that reach past the end pad, as in ceil mode.
    """
    after = [
        max((count - 1) * s + extent - size - b, 0)
        for count, s, extent, size, b in zip(
            counts, window.strides, window.extents, x.shape[2:], window.pads_begin, strict=True
        )
    ]
    pads = [(0, 0), (0, 0), *zip(window.pads_begin, after, strict=True)]
    padded = np.pad(x, pads, constant_values=fill)
    return np.stack([padded[window.seen_by(tap, counts)] for tap in window.taps()], axis=-1)


def flat_positions(shape: tuple[int, ...], column_major: bool = False) -> Array:
    """Index of each element of [n, c, *spatial]; planes are row-major or column-major."""
    planes, spatial = math.prod(shape[:2]), shape[2:]
    size = math.prod(spatial)
    plane = np.arange(size, dtype=np.int64).reshape(spatial, order="F" if column_major else "C")
    offsets = np.arange(planes, dtype=np.int64).reshape(*shape[:2], *[1] * len(spatial))
    return offsets * size + plane
