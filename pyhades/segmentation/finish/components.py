"""Connected parts of a mask: runs of pixels in rows, joined where they touch.

A mask of twelve megapixels has a few thousand runs, and all that is said of parts is said of runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Components:
    """The connected parts of a mask.

    Attributes
    ----------
    shape
        ``(height, width)`` of the mask.
    starts, ends
        int64 ``[runs]``: where each run begins, and the place after its last pixel, in a mask that
        has one column more, so that no run goes on in the next row.
    part
        int64 ``[runs]``: the part that a run belongs to, counted from 0.
    areas
        int64 ``[parts]``: pixels of each part.

    Examples
    --------
    >>> parts = Components.of(np.array([[1, 0, 1], [1, 0, 0]], bool))
    >>> parts.areas
    array([2, 1])
    >>> parts.where(parts.areas > 1).astype(int)
    array([[1, 0, 0],
           [1, 0, 0]])
    """

    shape: tuple[int, int]
    starts: Indices
    ends: Indices
    part: Indices
    areas: Indices

    @classmethod
    def of(cls, mask: NDArray[np.bool_], *, corners: bool = False) -> Components:
        """Find them.

        Parameters
        ----------
        mask
            bool ``[height, width]``.
        corners
            Whether pixels that only share a corner touch.
        """
        height, width = mask.shape
        starts, ends = _runs(mask)
        upper, lower = _touching(starts, ends, width + 1, int(corners))
        part = _numbered(_united(len(starts), upper, lower))
        areas = np.bincount(part, weights=ends - starts).astype(np.int64)
        return cls((height, width), starts, ends, part, areas)

    def __len__(self) -> int:
        return len(self.areas)

    @property
    def at_edge(self) -> NDArray[np.bool_]:
        """Whether a part touches the edge of the picture; bool ``[parts]``."""
        height, width = self.shape
        rows, left = np.divmod(self.starts, width + 1)
        outer = (rows == 0) | (rows == height - 1) | (left == 0)
        outer |= self.ends % (width + 1) == width
        return self._any_run(outer)

    def sums(self, values: NDArray[np.uint8]) -> Indices:
        """The sum of ``values`` over the pixels of each part; int64 ``[parts]``."""
        if not len(self):
            return np.zeros(0, np.int64)
        borders = np.stack([self.starts, self.ends], axis=1).ravel()
        padded = np.pad(values, ((0, 0), (0, 1))).ravel()
        of_runs = np.add.reduceat(padded, borders, dtype=np.int64)[::2]
        return np.bincount(self.part, weights=of_runs).astype(np.int64)

    def hit(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether a part has a pixel of ``mask``; bool ``[parts]``."""
        return self.sums(mask.view(np.uint8)) > 0

    def where(self, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The mask of chosen parts; bool ``[height, width]``.

        Parameters
        ----------
        chosen
            bool ``[parts]``.
        """
        height, width = self.shape
        runs = np.flatnonzero(chosen[self.part])
        borders = np.empty(2 * len(runs) + 2, np.int64)
        borders[0], borders[-1] = 0, height * (width + 1)
        borders[1:-1:2], borders[2:-1:2] = self.starts[runs], self.ends[runs]
        inside = np.arange(len(borders) - 1) % 2 == 1
        flat = np.repeat(inside, np.diff(borders))
        return flat.reshape(height, width + 1)[:, :width]

    def _any_run(self, runs: NDArray[np.bool_]) -> NDArray[np.bool_]:
        found = np.zeros(len(self), np.bool_)
        found[self.part[runs]] = True
        return found


def _runs(mask: NDArray[np.bool_]) -> tuple[Indices, Indices]:
    """Where runs begin and end, in a mask with a column of nothing at its right."""
    height, width = mask.shape
    padded = np.zeros(height * (width + 1) + 1, np.bool_)
    padded[1:].reshape(height, width + 1)[:, :width] = mask
    borders = np.flatnonzero(padded[1:] != padded[:-1])
    return borders[::2], borders[1::2]


def _touching(starts: Indices, ends: Indices, stride: int, reach: int) -> tuple[Indices, Indices]:
    """Pairs of runs that touch: one in a row, and one in the row below it."""
    first = np.searchsorted(ends, starts - stride - reach, side="right")
    last = np.searchsorted(starts, ends - stride + reach, side="left")
    counts = np.maximum(last - first, 0)
    lower = np.repeat(np.arange(len(starts)), counts)
    begins = np.cumsum(counts) - counts
    upper = np.arange(len(lower)) - np.repeat(begins - first, counts)
    return upper, lower


def _united(count: int, left: Indices, right: Indices) -> Indices:
    """The smallest of all that are joined, directly or by others, for each of ``count``.

    All pairs at once: every root takes the smallest root that it is joined to, then all point to
    their roots. What is one part is done after a handful of rounds.
    """
    parent = np.arange(count)
    while len(left):
        left, right = parent[left], parent[right]
        apart = left != right
        left, right = left[apart], right[apart]
        np.minimum.at(parent, np.maximum(left, right), np.minimum(left, right))
        while not np.array_equal(grand := parent[parent], parent):
            parent = grand
    return parent


def _numbered(parent: Indices) -> Indices:
    """Roots counted from 0, in the order of their first pixels."""
    is_root = parent == np.arange(len(parent))
    return (np.cumsum(is_root) - 1)[parent]
