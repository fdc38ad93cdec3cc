"""What products read, as mean products of what any two of their inputs deviate by.

The inputs of a convolution are those of a window. Windows are taken at positions drawn by chance,
enough of them for the number of inputs, of each picture as many. An error that differs from pixel
to pixel is averaged away by later layers, one that is the same over a part of the picture is not:
so means over parts of a picture count, and many times as much as single windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pyhades.ir.graph import Graph
from pyhades.ir.ops.convolution import conv_window
from pyhades.ir.registry import attribute
from pyhades.numerics.array import Array
from pyhades.options import EngineOptions
from pyhades.segmentation.quantize.observe import Observer
from pyhades.segmentation.quantize.products import Product

Feeds = Mapping[str, Array]

BYTES_AT_ONCE = 512 << 20
"""Of the moments that are gathered in one go over the pictures."""
LEAST, SHARE = 4096, 3.0
"""Windows over all pictures: at least, and in inputs of a window."""
MOST_INPUTS = 2304
"""Whose moments are kept all with all; more are cut into blocks of channels, as if apart."""
PARTS = 9
"""Of a picture, of which means are taken: three by three."""
COHERENT = 24.0
"""How much more the mean of a part counts than a window."""


Sum = NDArray[np.float64]


@dataclass
class Moments:
    """Of what one product reads, ``[blocks, inputs, inputs]``; a group is one block or several."""

    pictures: int = 0
    means: Sum = field(default_factory=lambda: np.zeros(()))
    squares: Sum = field(default_factory=lambda: np.zeros(()))

    def add(self, rows: Array) -> None:
        """Inputs of one picture, ``[blocks, rows, inputs]``, one part of it after the other."""
        self.pictures += 1
        parts = np.array_split(rows, min(PARTS, rows.shape[1]), axis=1)
        means = np.stack([part.mean(axis=1) for part in parts], axis=1)
        self.means = self.means + means.mean(axis=1, dtype=np.float64)
        self.squares = self.squares + _products(rows) + COHERENT * _products(means)

    def deviations(self) -> Sum:
        """Means of products of deviations: what a bias makes up for does not count."""
        means = self.means / self.pictures
        outer = means[:, :, None] * means[:, None, :]
        return np.asarray(self.squares / self.pictures - (1 + COHERENT) * outer)


def _products(rows: Array) -> Sum:
    """Mean over rows."""
    sums = np.stack([row.T @ row for row in rows]).astype(np.float64)
    return np.asarray(sums / rows.shape[1])


def takes_moments(product: Product) -> bool:
    """Whether an output reads all inputs of a window: of a transposed convolution it does not."""
    return product.node.op != "ConvTranspose"


def gather_moments(
    graph: Graph,
    products: Sequence[Product],
    pictures: Sequence[Callable[[], Feeds]],
    options: EngineOptions,
    tell: Callable[[int, int], object],
) -> Iterator[tuple[Product, Moments]]:
    """Of one product after the other.

    Parameters
    ----------
    graph, products
        The prepared network, and those for which :func:`takes_moments` holds.
    pictures
        Each gives what the network is fed.
    options
        Threads and tier.
    tell
        Of how many runs are done, and how many there are.
    """
    parts = _parts(products)
    for number, part in enumerate(parts):
        edges = {product.x: 1 for product in part}
        found = {product.name: Moments() for product in part}
        observer = Observer(graph, edges, options)
        try:
            for index, feeds in enumerate(pictures):
                for value, x in observer.pass_along(feeds()):
                    for product in (p for p in part if p.x is value):
                        wanted = _rows_of(product, len(pictures))
                        rng = np.random.default_rng(index)
                        found[product.name].add(_rows(product, x, wanted, rng))
                tell(number * len(pictures) + index + 1, len(parts) * len(pictures))
        finally:
            observer.close()
        for product in part:
            yield product, found.pop(product.name)


def blocks_of(product: Product) -> tuple[int, int]:
    """How many blocks the inputs of all groups are cut into, and the inputs of each."""
    data = product.weight.data
    assert data is not None
    groups = int(attribute(product.node, "group")) if product.node.op == "Conv" else 1
    channels = data.shape[1] if product.channels == 0 else data.shape[0]
    inputs = data.size // data.shape[product.channels]
    cuts = (cut for cut in range(1, channels + 1) if channels % cut == 0)
    cut = next(cut for cut in cuts if inputs // cut <= MOST_INPUTS or cut == channels)
    return groups * cut, inputs // cut


def _rows_of(product: Product, pictures: int) -> int:
    return int(np.ceil(max(LEAST, SHARE * blocks_of(product)[1]) / pictures))


def _parts(products: Sequence[Product]) -> list[list[Product]]:
    parts: list[list[Product]] = []
    room = 0
    for product in products:
        blocks, inputs = blocks_of(product)
        size = 8 * blocks * inputs**2
        if size > room or not parts:
            parts.append([])
            room = BYTES_AT_ONCE
        parts[-1].append(product)
        room -= size
    return parts


def _rows(product: Product, x: Array, count: int, rng: np.random.Generator) -> Array:
    """Inputs of ``count`` outputs, or of all there are, ``[blocks, count, inputs]``."""
    blocks, inputs = blocks_of(product)
    if product.node.op != "Conv":
        rows = x.reshape(-1, x.shape[-1])
        chosen = rows[np.sort(_drawn(len(rows), count, rng))]
        return np.ascontiguousarray(chosen.reshape(len(chosen), blocks, inputs).swapaxes(0, 1))
    data = product.weight.data
    assert data is not None
    window = conv_window(product.node, x.shape, data.shape)
    counts = window.fitting(x.shape[2:])
    places = _by_parts(np.unravel_index(_drawn(int(np.prod(counts)), count, rng), counts), counts)
    taps = np.array(list(window.taps()))
    pads = zip(window.pads_begin, window.pads_end, strict=True)
    padded = np.pad(x[0], [(0, 0), *pads])
    index = tuple(
        place[:, None] * stride + taps[None, :, axis] * dilation
        for axis, (place, stride, dilation) in enumerate(
            zip(places, window.strides, window.dilations, strict=True)
        )
    )
    seen = padded[(slice(None), *index)]  # [channels, count, taps]
    rows = seen.reshape(blocks, -1, *seen.shape[1:]).swapaxes(1, 2)
    return np.ascontiguousarray(rows).reshape(blocks, -1, inputs)


def _drawn(there: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return np.arange(there) if there <= count else rng.choice(there, count, replace=False)


def _by_parts(
    places: Sequence[NDArray[np.int64]], counts: Sequence[int]
) -> list[NDArray[np.int64]]:
    """Coordinates in the order of the parts of the picture."""
    side = round(PARTS**0.5)
    part = np.zeros(len(places[0]), np.int64)
    for place, extent in zip(places, counts, strict=True):
        part = part * side + place * side // extent
    order = np.argsort(part, kind="stable")
    return [place[order] for place in places]
