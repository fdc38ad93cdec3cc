"""Weights on their grids, rounded for what they read on the pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from pyhades.ir.graph import Graph, Value
from pyhades.ir.quantization import Quantization
from pyhades.numerics.array import Array
from pyhades.options import EngineOptions
from pyhades.segmentation.quantize.grids import LARGEST
from pyhades.segmentation.quantize.moments import (
    Feeds,
    Moments,
    blocks_of,
    gather_moments,
    takes_moments,
)
from pyhades.segmentation.quantize.noise import by_group
from pyhades.segmentation.quantize.products import Product
from pyhades.segmentation.quantize.rounding import round_with_feedback


def learn_weights(
    graph: Graph,
    products: Sequence[Product],
    grids: Mapping[Value, Quantization],
    scales: Mapping[str, Array],
    pictures: Sequence[Callable[[], Feeds]],
    options: EngineOptions,
    tell: Callable[[int, int], object],
) -> dict[str, Array]:
    """Rounded weights by the name of their product; of those for which that can be done.

    Parameters
    ----------
    graph, products
        The prepared network, and what is quantised in it.
    grids
        Of what the products read.
    scales
        Of their weights, one for each output channel.
    pictures, options, tell
        See :func:`~pyhades.segmentation.quantize.moments.gather_moments`.
    """
    able = [product for product in products if takes_moments(product)]
    found = gather_moments(graph, able, pictures, options, tell)
    return {p.name: _learned(p, moments, grids[p.x], scales[p.name]) for p, moments in found}


def _learned(product: Product, moments: Moments, grid: Quantization, scales: Array) -> Array:
    data = product.weight.data
    assert data is not None
    turned = np.moveaxis(data, product.channels, 0)
    column = scales.reshape(-1, *[1] * (data.ndim - 1))
    steps = (turned / column).astype(np.float64)
    groups, (blocks, inputs) = len(by_group(product, data)), blocks_of(product)
    cut = (groups, len(turned) // groups, blocks // groups, inputs)
    steps = steps.reshape(cut).swapaxes(1, 2).reshape(blocks, -1, inputs)
    deviations = moments.deviations()
    # What is read lies on a grid: rounding adds the same noise to each input.
    noise = np.eye(deviations.shape[1]) * float(grid.scale) ** 2 / 12
    rounded = [
        round_with_feedback(rows, near + noise, LARGEST)
        for rows, near in zip(steps, deviations, strict=True)
    ]
    whole = np.stack(rounded).reshape(groups, blocks // groups, -1, inputs).swapaxes(1, 2)
    weights = whole.reshape(turned.shape).astype(np.float32) * column
    return np.ascontiguousarray(np.moveaxis(weights, 0, product.channels).astype(np.float32))
