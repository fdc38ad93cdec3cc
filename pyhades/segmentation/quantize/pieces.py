"""Make loud channels in pieces, so that the grid of all channels can be finer.

A grid has one scale for all channels of an edge. Where a convolution and its Relu make a channel
that is far louder than the others, the channel is made several times: with biases that are lower by
0, t, 2t and so on, each limited to [0, t]. Those pieces add up to the channel, so that whatever
reads it reads each piece with the weights of the channel, and the grid has to reach to t only. The
limits cost nothing, as a grid that ends at t limits what is put on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import constant, infer_types
from pyhades.ir.registry import attribute
from pyhades.numerics.array import Array
from pyhades.passes.rewriting import clone
from pyhades.segmentation.quantize.channels import Channels, Ids, Maker, trace_channels
from pyhades.segmentation.quantize.products import Product
from pyhades.segmentation.quantize.statistics import Statistics

Counts = NDArray[np.int64]
"""By channel, how many pieces it is made of."""

_LOUD = 3.0
"""Times the peak that all but an eighth of the channels stay below."""
_QUIET, _USUAL = 8, 4
"""One channel of so many may be loud; and is as loud as the limit of pieces may not fall below."""
_MORE = 2
"""At most one channel more for so many."""
_BEYOND = 1.1
"""What pieces hold, in peaks: other pictures are louder."""

_THROUGH = ("Relu", "MaxPool", "AveragePool", "GlobalAveragePool", "Resize", "Concat", "Identity")
"""What leaves pieces beside each other, and their sum what the channel would be."""


@dataclass(frozen=True)
class Split:
    """A maker whose channels are cut at ``limit`` into ``counts`` pieces."""

    maker: Maker
    relu: Node
    limit: float
    counts: Counts


def readers_of_makers(graph: Graph, products: Sequence[Product]) -> list[Product]:
    """Products that read channels which could be made in pieces."""
    channels = trace_channels(graph, products)
    able = [maker.ids for maker, _ in _able(graph, products, channels)]
    ids = np.concatenate([np.zeros(0, np.int64), *able])
    return [r.product for r in channels.readers if np.isin(r.ids, ids).any()]


def in_pieces(graph: Graph, products: Sequence[Product], statistics: Statistics) -> Graph:
    """The same network but for rounding, its loud channels in pieces.

    Parameters
    ----------
    graph
        Prepared.
    products
        All of them.
    statistics
        Of what :func:`readers_of_makers` read, for the peaks of channels.

    Returns
    -------
    Graph
        ``graph`` itself where no channel is loud.
    """
    channels = trace_channels(graph, products)
    peaks = np.zeros(channels.count)
    for reader in channels.readers:
        if reader.product.x.name in statistics:
            np.maximum.at(peaks, reader.ids, statistics[reader.product.x.name].peaks)
    splits = [
        split
        for maker, relu in _able(graph, products, channels)
        if (split := _split(maker, relu, peaks[maker.ids])) is not None
    ]
    return _rewritten(graph, channels, splits) if splits else graph


def _able(
    graph: Graph, products: Sequence[Product], channels: Channels
) -> list[tuple[Maker, Node]]:
    """Convolutions with nothing but a Relu behind them, whose channels are known everywhere."""
    readers = graph.consumers()
    fixed = _fixed(graph, products, channels)
    found = []
    for maker in channels.makers:
        made = maker.node.outputs[0]
        users = readers.get(made, [])
        alone = len(users) == 1 and users[0].op == "Relu" and made not in graph.outputs
        plain = maker.node.op == "Conv" and attribute(maker.node, "group") == 1
        if alone and plain and not np.isin(maker.ids, fixed).any():
            found.append((maker, users[0]))
    return found


def _fixed(graph: Graph, products: Sequence[Product], channels: Channels) -> Ids:
    """Channels of which something needs the number, the order, or the whole."""
    by_node = {product.node: product for product in products}
    found = [np.zeros(0, np.int64)]
    for node in graph.nodes:
        for position, value in enumerate(node.inputs):
            tracked = None if value is None else channels.tracked.get(value)
            if tracked is not None and not _bears(node, position, tracked.axis, by_node):
                found.append(tracked.ids)
    found += [channels.tracked[v].ids for v in graph.outputs if v in channels.tracked]
    return np.unique(np.concatenate(found))


def _bears(node: Node, position: int, axis: int, products: dict[Node, Product]) -> bool:
    """Whether a node may read pieces instead of channels along ``axis``."""
    if node in products:
        return position == 0 and node.op == "Conv" and attribute(node, "group") == 1
    if axis != 1 or node.op not in _THROUGH:
        return False
    if node.op == "Resize":
        sizes = node.input(3)
        return attribute(node, "axes") is None and (sizes is None or sizes.data is not None)
    return node.op != "Concat" or attribute(node, "axis") == 1


def _split(maker: Maker, relu: Node, peaks: NDArray[np.float64]) -> Split | None:
    """How a maker's channels are cut; None where none is loud."""
    ordered = np.sort(peaks)[::-1]
    usual = max(ordered[len(ordered) // _USUAL], 1e-30)
    if len(ordered) < _QUIET or ordered[0] < _LOUD * max(ordered[len(ordered) // _QUIET], 1e-30):
        return None
    for parts in range(int(ordered[0] // usual), 1, -1):
        limit = float(_BEYOND * ordered[0] / parts)
        counts = np.maximum(np.ceil(_BEYOND * peaks / limit - 1e-9), 1).astype(np.int64)
        if counts.sum() - len(counts) <= len(counts) // _MORE:
            return Split(maker, relu, limit, counts)
    return None


def _rewritten(graph: Graph, channels: Channels, splits: Sequence[Split]) -> Graph:
    result = clone(graph)
    twins = dict(zip(graph.nodes, result.nodes, strict=True))
    pieces = np.ones(channels.count, np.int64)
    for split in splits:
        pieces[split.maker.ids] = split.counts
        _make(twins[split.maker.node], split)
        _limit(twins[split.relu], split.limit)
    for reader in channels.readers:
        node = twins[reader.product.node]
        if (pieces[reader.ids] > 1).any():
            weight = node.inputs[1]
            assert weight is not None and weight.data is not None
            node.inputs[1] = _renamed(weight, np.repeat(weight.data, pieces[reader.ids], axis=1))
    for value, tracked in channels.tracked.items():
        producer = value.producer
        if producer is not None and producer.op == "Resize" and (pieces[tracked.ids] > 1).any():
            _resize(twins[producer], int(pieces[tracked.ids].sum()))
    for node in result.nodes:
        for made in node.outputs:
            made.type = None
    infer_types(result)
    return result


def _make(node: Node, split: Split) -> None:
    """Rows of the weights as often as there are pieces, with lower and lower biases."""
    weight, bias = node.inputs[1], node.input(2)
    assert weight is not None and weight.data is not None
    counts = split.counts
    first = np.repeat(np.cumsum(counts) - counts, counts)
    lower = (np.arange(counts.sum()) - first) * split.limit
    given = np.zeros(len(counts), np.float32) if bias is None else bias.data
    assert given is not None
    data = np.repeat(given, counts) - lower
    name = f"{node.outputs[0].name}.pieces.bias"
    node.inputs[1:] = [
        _renamed(weight, np.repeat(weight.data, counts, axis=0)),
        constant(name, data.astype(np.float32)),
    ]


def _limit(node: Node, limit: float) -> None:
    """The Relu of pieces ends where the next piece begins."""
    name = node.outputs[0].name
    ends = (("low", 0.0), ("high", limit))
    bounds = [constant(f"{name}.{end}", np.asarray(at, np.float32)) for end, at in ends]
    node.op, node.inputs = "Clip", [node.inputs[0], *bounds]


def _resize(node: Node, channels: int) -> None:
    """The extents that a Resize is told, where it is."""
    sizes = node.input(3)
    if sizes is not None:
        assert sizes.data is not None
        data = sizes.data.copy()
        data[1] = channels
        node.inputs[3] = _renamed(sizes, data)


def _renamed(value: Value, data: Array) -> Value:
    return constant(f"{value.name}.pieces", np.ascontiguousarray(data))
