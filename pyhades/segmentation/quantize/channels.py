"""Where the channels of a value come from, so that they can be scaled there.

What a product or a normalisation makes can be divided by a positive number per channel, in its
constants, and the weights that read the channel be multiplied by it, as long as everything in
between passes such a factor on: what moves or averages numbers, what is linear beyond 0 (Relu), and
sums both of whose operands have the factor. Everything else pins the channels that reach it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyhades.ir.carried import pads_with_zeros
from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.registry import attribute
from pyhades.segmentation.quantize.products import Product, extents_of, rank_of
from pyhades.segmentation.quantize.recipe import Equalisation

Ids = NDArray[np.int64]
"""Numbers of channels; those with the same :meth:`Channels.classes` have the same factor."""

PINNED = 0
"""The class of channels that must stay as they are."""

_HOMOGENEOUS = ("Relu", "LeakyRelu", "PRelu", "Identity", "Dropout")
_SPATIAL = ("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool")
_NORMALISATIONS = {"LayerNormalization": -1, "InstanceNormalization": 1}
"""And the axis of the channels, which scale and shift, inputs 1 and 2, belong to."""
_EXTENTS = ("Shape", "Size")
"""What they give does not depend on numbers."""


@dataclass(frozen=True)
class Maker:
    """A node that makes channels, and the inputs of it that hold them along an axis."""

    node: Node
    ids: Ids
    constants: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Tracked:
    """A value whose channels lie along ``axis``."""

    axis: int
    ids: Ids


@dataclass(frozen=True)
class Reader:
    """A product that reads channels."""

    product: Product
    ids: Ids


class Channels:
    """What :func:`trace_channels` found.

    Attributes
    ----------
    makers, readers
        Nodes that make channels, and products whose weights can take their factors.
    tracked
        Values and the channels that they consist of.
    """

    def __init__(self) -> None:
        self.makers: list[Maker] = []
        self.readers: list[Reader] = []
        self.tracked: dict[Value, Tracked] = {}
        self._parents = [PINNED]

    def classes(self, ids: Ids) -> Ids:
        """The class of each channel."""
        return np.fromiter(map(self._find, ids.tolist()), np.int64, len(ids))

    @property
    def count(self) -> int:
        """Numbers that were given to channels; classes are less."""
        return len(self._parents)

    def fresh(self, count: int) -> Ids:
        """Channels that were not there before."""
        first = len(self._parents)
        self._parents += range(first, first + count)
        return np.arange(first, first + count)

    def unite(self, first: Ids, second: Ids) -> None:
        """From now on they are of one class, position by position."""
        for one, other in zip(first.tolist(), second.tolist(), strict=True):
            low, high = sorted((self._find(one), self._find(other)))
            self._parents[high] = low

    def pin(self, ids: Ids) -> None:
        """They must stay as they are."""
        self.unite(ids, np.full(len(ids), PINNED))

    def _find(self, channel: int) -> int:
        parents = self._parents
        while parents[channel] != channel:
            parents[channel] = parents[parents[channel]]
            channel = parents[channel]
        return channel


def trace_channels(graph: Graph, products: Sequence[Product], of: Equalisation = "all") -> Channels:
    """Follow channels from where they are made to the products that read them.

    ``of`` says which makers count; the channels of others are pinned.
    """
    return _Tracing(products, of).run(graph)


class _Tracing:
    def __init__(self, products: Sequence[Product], of: Equalisation) -> None:
        self.products = {product.node: product for product in products}
        self.of = of
        self.found = Channels()

    def run(self, graph: Graph) -> Channels:
        for node in graph.nodes:
            self._visit(node)
        for value in graph.outputs:
            self._pin(value)
        return self.found

    def _visit(self, node: Node) -> None:
        product = self.products.get(node)
        if product is not None:
            self._read(product)
            made = _made_by_product(product) if self.of == "all" else None
        else:
            made = _made_by_normalisation(node) if self.of != "none" else None
            passed = self._passed(node) if made is None and len(node.outputs) == 1 else None
            if passed is not None:
                self.found.tracked[node.outputs[0]] = passed
                return
            if node.op not in _EXTENTS:
                for value in node.inputs:
                    self._pin(value)
        if made is not None:
            axis, count, constants = made
            ids = self.found.fresh(count)
            self.found.makers.append(Maker(node, ids, constants))
            self.found.tracked[node.outputs[0]] = Tracked(axis, ids)

    def _pin(self, value: Value | None) -> None:
        tracked = None if value is None else self.found.tracked.get(value)
        if tracked is not None:
            self.found.pin(tracked.ids)

    def _read(self, product: Product) -> None:
        tracked = self.found.tracked.get(product.x)
        if tracked is None:
            return
        if tracked.axis == channel_axis(product.node):
            self.found.readers.append(Reader(product, tracked.ids))
        else:
            self._pin(product.x)

    def _passed(self, node: Node) -> Tracked | None:
        """The channels of the result, where a factor of each passes through ``node``."""
        if any(v is not None and (v.type is None or v.type.shape is None) for v in node.inputs):
            return None
        if node.outputs[0].type is None or node.outputs[0].type.shape is None:
            return None
        if node.op == "Concat":
            return self._joined(node)
        if node.op == "Add":
            return self._added(node)
        source = node.inputs[0] if node.inputs else None
        tracked = None if source is None else self.found.tracked.get(source)
        if source is None or tracked is None:
            return None
        if any(v in self.found.tracked for v in node.inputs[1:]):
            return None
        if node.op in _HOMOGENEOUS:
            return tracked
        if node.op in _SPATIAL:
            return tracked if tracked.axis == 1 else None
        axis = _axis_behind(node, source, tracked.axis)
        return None if axis is None else Tracked(axis, tracked.ids)

    def _joined(self, node: Node) -> Tracked | None:
        along = attribute(node, "axis") % rank_of(node.outputs[0])
        parts: list[Ids] = []
        for value in node.inputs:
            assert value is not None
            tracked = self.found.tracked.get(value)
            if tracked is not None and tracked.axis == along:
                parts.append(tracked.ids)
                continue
            extent = extents_of(value)[along]
            if not isinstance(extent, int):
                return None
            self._pin(value)
            parts.append(np.full(extent, PINNED))
        return Tracked(along, np.concatenate(parts))

    def _added(self, node: Node) -> Tracked | None:
        first, second = (self.found.tracked.get(v) if v is not None else None for v in node.inputs)
        if first is None or second is None or first.axis != second.axis:
            return None
        ranks = {rank_of(v) for v in (*node.inputs, node.outputs[0]) if v is not None}
        if len(first.ids) != len(second.ids) or len(ranks) != 1:
            return None
        self.found.unite(first.ids, second.ids)
        return first


def channel_axis(node: Node) -> int:
    """The axis along which a product reads channels, and makes them."""
    return 1 if node.op.startswith("Conv") else rank_of(node.outputs[0]) - 1


Made = tuple[int, int, tuple[tuple[int, int], ...]]
"""Axis and number of channels, and the constants that hold them."""


def _made_by_product(product: Product) -> Made:
    node, data = product.node, product.weight.data
    assert data is not None
    constants = [(1, product.channels)]
    bias = node.input(2)
    if bias is not None and bias.data is not None:
        constants.append((2, bias.data.ndim - 1))
    return channel_axis(node), data.shape[product.channels], tuple(constants)


def _made_by_normalisation(node: Node) -> Made | None:
    """Of one whose scale and shift are constant, and of a vector each."""
    if node.op not in _NORMALISATIONS or len(node.outputs) != 1:
        return None
    given = [(i, v) for i in (1, 2) if (v := node.input(i)) is not None]
    if not given or given[0][0] != 1:
        return None
    if any(v.data is None or v.data.ndim != 1 for _, v in given):
        return None
    axis = _NORMALISATIONS[node.op] % rank_of(node.outputs[0])
    data = given[0][1].data
    assert data is not None
    return axis, len(data), tuple((i, 0) for i, _ in given)


def _axis_behind(node: Node, source: Value, axis: int) -> int | None:
    """Where the axis of channels is behind a node that leaves each of them whole."""
    before, after = extents_of(source), extents_of(node.outputs[0])
    if node.op == "Transpose":
        perm = attribute(node, "perm")
        order = list(range(len(before)))[::-1] if perm is None else list(perm)
        return order.index(axis)
    if node.op in ("Reshape", "Flatten", "Squeeze", "Unsqueeze"):
        return _axis_reshaped(before, after, axis)
    if node.op in ("Resize", "Slice") or pads_with_zeros(node):
        return axis if before[axis] == after[axis] and _keeps_order(node) else None
    return None


def _keeps_order(node: Node) -> bool:
    """Whether channels that are there before and behind it are the same, and nothing is added."""
    if node.op == "Resize":
        return bool(attribute(node, "coordinate_transformation_mode") != "tf_crop_and_resize")
    steps = node.input(4) if node.op == "Slice" else None
    return steps is None or (steps.data is not None and bool((steps.data > 0).all()))


def _axis_reshaped(before: Sequence[object], after: Sequence[object], axis: int) -> int | None:
    """Of static shapes, the axis that has as many elements before, along and behind it."""
    if not all(isinstance(dim, int) for dim in (*before, *after)):
        return len(after) - 1 if axis == len(before) - 1 and before[-1] == after[-1] else None
    for position, extent in enumerate(after):
        if extent == before[axis] and _size(after[:position]) == _size(before[:axis]):
            return position
    return None


def _size(extents: Sequence[object]) -> int:
    count = 1
    for extent in extents:
        assert isinstance(extent, int)
        count *= extent
    return count
