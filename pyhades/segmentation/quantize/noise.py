"""How much noise grids would add to what products make, were the channels they read scaled.

A step of the grid of activations follows from the loudest channel of all edges that share it, and
its rounding adds the same noise to each of them, which weights make larger. A step of the grid of
weights follows from the largest weight of an output, and its rounding adds noise that the channel
makes larger. Scaling a channel down makes the first smaller and the second larger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyhades.ir.graph import Graph
from pyhades.ir.registry import attribute
from pyhades.numerics.array import Array
from pyhades.segmentation.quantize.channels import Channels, Ids, Reader
from pyhades.segmentation.quantize.grids import LARGEST, LEVELS
from pyhades.segmentation.quantize.placement import place_grids
from pyhades.segmentation.quantize.products import Product
from pyhades.segmentation.quantize.statistics import Statistics

Factors = NDArray[np.float64]
"""By class of channels, what they are divided by."""

WEIGHTS = 16.0
"""How much more noise of weights counts: it is the same all over a picture, and not averaged."""


@dataclass(frozen=True)
class Sound:
    """What a product reads, and how its weights would hear it.

    Attributes
    ----------
    product
        It.
    grid
        Number of the grid of what it reads.
    classes
        Of the channels.
    peaks, spread
        Of the channels: the largest magnitude, and the variance. Of means a bias takes care.
    span
        Length of the grid, in peaks: 2 where numbers are negative and positive.
    gains, tops
        Of weights, ``[groups, outputs, inputs]``: sums of squares over a window, and the largest.
    taps
        Weights of an input and an output.
    """

    product: Product
    grid: int
    classes: Ids
    peaks: Factors
    spread: Factors
    span: float
    gains: NDArray[np.float64]
    tops: NDArray[np.float64]
    taps: int

    def loudest(self, factors: Factors) -> float:
        """The length of the grid that these channels alone need."""
        return self.span * float((self.peaks / factors[self.classes]).max(initial=0.0))

    def noise(self, factors: Factors, length: float) -> float:
        """Noise of what the product makes as a share of it, both as powers."""
        s = factors[self.classes].reshape(len(self.gains), 1, -1)
        spread = self.spread.reshape(s.shape)
        heard = (length / LEVELS) ** 2 * float((self.gains * s**2).sum())
        steps = (self.tops * s).max(axis=2) / LARGEST
        rounded = (
            WEIGHTS
            * self.taps
            * float(((steps**2).sum(axis=1) * (spread / s**2).sum((1, 2))).sum())
        )
        whole = float((self.gains * spread).sum())
        return (heard + rounded) / (12 * whole) if whole > 0 else 0.0


def sounds_of(
    graph: Graph, products: Sequence[Product], channels: Channels, statistics: Statistics
) -> list[Sound]:
    """Of the products that are to be quantised and read channels that are known."""
    groups = place_grids(graph, [p for p in products if not p.kept]).groups
    numbers = {value: number for number, group in enumerate(groups) for value in group}
    return [
        _sound(reader, numbers[reader.product.x], channels, statistics)
        for reader in channels.readers
        if not reader.product.kept and reader.product.x.name in statistics
    ]


def _sound(reader: Reader, grid: int, channels: Channels, statistics: Statistics) -> Sound:
    seen = statistics[reader.product.x.name]
    peaks, spread = (each.astype(np.float64) for each in (seen.peaks, seen.variances))
    span = (max(seen.high, 0.0) - min(seen.low, 0.0)) / max(float(peaks.max()), 1e-30)
    data = reader.product.weight.data
    assert data is not None
    rows = by_group(reader.product, data.astype(np.float64))
    return Sound(
        reader.product, grid, channels.classes(reader.ids), peaks, spread, span,
        np.square(rows).sum(axis=3), np.abs(rows).max(axis=3), rows.shape[3],
    )  # fmt: skip


def by_group(product: Product, data: Array) -> Array:
    """Weights as ``[groups, outputs of a group, inputs of a group, taps]``."""
    rows = np.moveaxis(data, product.channels, 0) if product.channels else data
    groups = int(attribute(product.node, "group")) if product.node.op == "Conv" else 1
    return rows.reshape(groups, len(rows) // groups, rows.shape[1], -1)
