"""Scale channels where they are made, so that no channel alone decides how coarse a grid is.

A grid has one scale for all channels of an edge. Where one of them is larger by far, little is left
for the others; where it is divided by a number and the weights that read it multiplied by it, the
network is the same and the error moves from activations to weights. Both share it when both sides
have the same spread, which is what SmoothQuant does (alpha). Channels of convolutions are left
alone: that was measured, and made masks worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.ir.graph import Graph, Node
from pyhades.ir.inference import constant
from pyhades.numerics.array import Array
from pyhades.passes.rewriting import clone
from pyhades.segmentation.quantize.channels import (
    Channels,
    Maker,
    Reader,
    is_depthwise,
    trace_channels,
)
from pyhades.segmentation.quantize.products import Product
from pyhades.segmentation.quantize.statistics import Statistics

_LARGEST = 2.0**10
"""No channel is scaled by more, either way."""

Factors = NDArray[np.float64]


def smooth(
    graph: Graph, products: Sequence[Product], statistics: Statistics, alpha: float
) -> Graph:
    """An equal network, but for rounding, whose channels are more alike.

    Parameters
    ----------
    graph
        Prepared.
    products
        All of them, also those that stay in float.
    statistics
        Of what the products read, for the peaks of channels.
    alpha
        How much of the spread moves into weights, 0 to 1.
    """
    channels = trace_channels(graph, products)
    factors = _factors(channels, statistics, alpha)
    result = clone(graph)
    twins = dict(zip(graph.nodes, result.nodes, strict=True))
    for maker in factors:
        _divide(twins[maker.node], factors[maker])
    for reader in channels.readers:
        parts = [
            np.ones(each.length) if each.maker is None else factors.get(each.maker, _ones(each))
            for each in reader.segments
        ]
        _multiply(twins[reader.product.node], reader.product, np.concatenate(parts))
    return result


def smoothed_layers(graph: Graph, products: Sequence[Product]) -> list[Product]:
    """Products that read channels which can be scaled."""
    return [
        reader.product
        for reader in trace_channels(graph, products).readers
        if any(s.maker is not None and not s.maker.pinned for s in reader.segments)
    ]


def _ones(segment: Any) -> Factors:
    return np.ones(segment.length)


def _factors(channels: Channels, statistics: Statistics, alpha: float) -> dict[Maker, Factors]:
    """What the channels of each maker are divided by."""
    pinned = {maker for maker in channels.makers if maker.pinned}
    peaks: dict[Maker, Factors] = {}
    weights: dict[Maker, Factors] = {}
    for reader in channels.readers:
        seen = statistics.get(reader.product.x.name)
        loud = _loudness(reader)
        start = 0
        for segment in reader.segments:
            here = slice(start, start + segment.length)
            start += segment.length
            if segment.maker is None:
                continue
            maker = segment.maker
            if seen is None:
                pinned.add(maker)
                continue
            for table, found in ((peaks, seen.peaks[here]), (weights, loud[here])):
                table[maker] = np.maximum(table.get(maker, 0.0), found.astype(np.float64))
    return {
        maker: _balanced(peaks[maker], weights[maker], alpha)
        for maker in channels.makers
        if maker in peaks and maker not in pinned
    }


def _loudness(reader: Reader) -> Factors:
    """Per input channel, its largest weight as a share of the largest of the same output."""
    product = reader.product
    data = product.weight.data
    assert data is not None
    rows = np.moveaxis(np.abs(data), product.channels, 0)
    if is_depthwise(product):
        return np.ones(len(rows))
    rows = rows.reshape(*rows.shape[:2], -1).max(axis=2)
    peaks = rows.max(axis=1, keepdims=True)
    return np.asarray((rows / np.where(peaks > 0, peaks, 1)).max(axis=0), np.float64)


def _balanced(peaks: Factors, weights: Factors, alpha: float) -> Factors:
    """Dead channels, and those that nothing reads, stay as they are."""
    alive = (peaks > 0) & (weights > 0)
    factors = np.ones(len(peaks))
    factors[alive] = peaks[alive] ** alpha / weights[alive] ** (1 - alpha)
    return np.clip(factors, 1 / _LARGEST, _LARGEST)


def _divide(node: Node, factors: Factors) -> None:
    """Of the constants that a LayerNormalization ends with."""
    for index in (1, 2):
        value = node.input(index)
        if value is not None and value.data is not None:
            divided = (value.data / factors).astype(value.data.dtype)
            node.inputs[index] = constant(f"{value.name}.smooth", divided)


def _multiply(node: Node, product: Product, factors: Factors) -> None:
    """Of the weights that read channels."""
    value = node.inputs[1]
    assert value is not None and value.data is not None
    axis = 0 if is_depthwise(product) else 1 - product.channels
    data: Array = value.data * _column(factors, value.data.ndim, axis)
    node.inputs[1] = constant(f"{value.name}.smooth", data.astype(value.data.dtype))


def _column(factors: Factors, rank: int, axis: int) -> Factors:
    column = [1] * rank
    column[axis] = -1
    return factors.reshape(column)
