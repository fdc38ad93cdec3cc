"""Where the channels of a value come from, so that they can be scaled there.

A LayerNormalization ends in a product with constants, which may be divided by a positive number per
channel, and the weights that read the channel be multiplied by it, as long as everything in between
passes such a factor on: what moves or averages numbers, what is linear beyond 0. Everything else
pins the channels that reach it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pyhades.ir.carried import pads_with_zeros
from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.registry import attribute
from pyhades.segmentation.quantize.products import Product, extents_of, rank_of

_HOMOGENEOUS = ("Relu", "LeakyRelu", "Identity", "Dropout")
_SPATIAL = ("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool")


@dataclass(eq=False)
class Maker:
    """A LayerNormalization, which makes channels.

    Attributes
    ----------
    node
        It.
    channels
        How many it makes.
    """

    node: Node
    channels: int
    pinned: bool = False


@dataclass(frozen=True)
class Segment:
    """Some channels of a value, which are all those of a maker; None where that is not known."""

    maker: Maker | None
    length: int


@dataclass(frozen=True)
class Tracked:
    """A value whose channels lie along ``axis``."""

    axis: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Reader:
    """A product that reads channels."""

    product: Product
    segments: tuple[Segment, ...]


@dataclass
class Channels:
    """What :func:`trace_channels` found.

    Attributes
    ----------
    readers
        Products whose weights can be scaled.
    """

    makers: list[Maker] = field(default_factory=list)
    readers: list[Reader] = field(default_factory=list)


def trace_channels(graph: Graph, products: Sequence[Product]) -> Channels:
    """Follow channels from where they are made to the products that read them."""
    return _Tracing(products).run(graph)


class _Tracing:
    def __init__(self, products: Sequence[Product]) -> None:
        self.products = {product.node: product for product in products}
        self.known: dict[Value, Tracked] = {}
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
            return
        made = _made(node)
        if made is not None:
            maker = Maker(node, made[1])
            self.found.makers.append(maker)
            self.known[node.outputs[0]] = Tracked(made[0], (Segment(maker, made[1]),))
            self._pin(node.inputs[0])
            return
        passed = self._passed(node) if len(node.outputs) == 1 else None
        if passed is not None:
            self.known[node.outputs[0]] = passed
            return
        for value in node.inputs:
            self._pin(value)

    def _pin(self, value: Value | None) -> None:
        tracked = None if value is None else self.known.get(value)
        for segment in () if tracked is None else tracked.segments:
            if segment.maker is not None:
                segment.maker.pinned = True

    def _read(self, product: Product) -> None:
        tracked = self.known.get(product.x)
        if tracked is None:
            return
        rank = rank_of(product.x)
        expected = 1 if product.node.op.startswith("Conv") else rank - 1
        groups = attribute(product.node, "group") if product.node.op.startswith("Conv") else 1
        if tracked.axis != expected or (groups != 1 and not is_depthwise(product)):
            self._pin(product.x)
            return
        self.found.readers.append(Reader(product, tracked.segments))

    def _passed(self, node: Node) -> Tracked | None:
        """The channels of the result, where a factor of each passes through ``node``."""
        if node.op == "Concat":
            return self._joined(node)
        if node.outputs[0].type is None or node.outputs[0].type.shape is None:
            return None
        source = node.inputs[0] if node.inputs else None
        tracked = None if source is None else self.known.get(source)
        if source is None or tracked is None:
            return None
        if node.op in _HOMOGENEOUS:
            return tracked
        if node.op in _SPATIAL:
            return tracked if tracked.axis == 1 else None
        axis = _axis_behind(node, source, tracked.axis)
        return None if axis is None else Tracked(axis, tracked.segments)

    def _joined(self, node: Node) -> Tracked | None:
        if any(v is None or v.type is None or v.type.shape is None for v in node.inputs):
            return None
        along = attribute(node, "axis") % rank_of(node.outputs[0])
        parts: list[Segment] = []
        for value in node.inputs:
            assert value is not None
            tracked = self.known.get(value)
            if tracked is not None and tracked.axis == along:
                parts += tracked.segments
                continue
            self._pin(value)
            extent = extents_of(value)[along]
            if not isinstance(extent, int):
                return None
            parts.append(Segment(None, extent))
        return Tracked(along, tuple(parts))


def is_depthwise(product: Product) -> bool:
    """Whether each channel is convolved for itself."""
    data = product.weight.data
    assert data is not None
    if product.node.op != "Conv":
        return False
    return bool(attribute(product.node, "group") == data.shape[0] and data.shape[1] == 1)


def _made(node: Node) -> tuple[int, int] | None:
    """Axis and number of channels of a LayerNormalization whose constants can be scaled."""
    if node.op != "LayerNormalization" or len(node.outputs) != 1:
        return None
    scale, shift = node.input(1), node.input(2)
    if scale is None or scale.data is None or scale.data.ndim != 1:
        return None
    if shift is not None and shift.data is None:
        return None
    return rank_of(node.outputs[0]) - 1, len(scale.data)


def _axis_behind(node: Node, source: Value, axis: int) -> int | None:
    """Where the axis of channels is behind a node that leaves each of them whole."""
    before, after = extents_of(source), extents_of(node.outputs[0])
    if node.op == "Transpose":
        perm = attribute(node, "perm")
        order = list(range(len(before)))[::-1] if perm is None else list(perm)
        return order.index(axis)
    if node.op in ("Reshape", "Flatten", "Squeeze", "Unsqueeze"):
        return _axis_reshaped(before, after, axis)
    if node.op in ("Resize", "Slice", "Roll") or pads_with_zeros(node):
        moves_channels = node.op == "Roll" or before[axis] != after[axis]
        return None if moves_channels else axis
    return None


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
