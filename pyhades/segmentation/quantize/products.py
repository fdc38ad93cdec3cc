"""Which products are worth quantising, and why the others stay in float."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from pyhades.ir.graph import Dim, Graph, Node, Value
from pyhades.ir.registry import attribute

PRODUCTS = ("Conv", "ConvTranspose", "MatMul", "Gemm")

_POSITIONS = {"DeformConv": (2, 4), "GridSample": (1,)}
"""Inputs that say where to look, not what is there: an error of a step moves the picture."""


@dataclass(frozen=True)
class Product:
    """A product of activations and constant weights.

    Attributes
    ----------
    node
        Of the prepared graph.
    channels
        The axis of the weights that goes along outputs.
    kept
        Why it stays in float; empty where it may be quantised.
    """

    node: Node
    channels: int
    kept: str = ""

    @property
    def name(self) -> str:
        """That of its result."""
        return self.node.outputs[0].name

    @property
    def x(self) -> Value:
        """The activations."""
        value = self.node.inputs[0]
        assert value is not None
        return value

    @property
    def weight(self) -> Value:
        """The constant operand."""
        value = self.node.inputs[1]
        assert value is not None
        return value


def find_products(
    graph: Graph, float_channels: int = 8, outputs: Collection[str] | None = None
) -> list[Product]:
    """Every product of ``graph`` whose second operand is constant, in order.

    ``outputs`` names those whose last layers stay in float, by default all: a network may give out
    features of layers in its middle, too.
    """
    readers = graph.consumers()
    ends = [v for v in graph.outputs if outputs is None or v.name in outputs]
    first, last = _behind_inputs(graph), _before_outputs(graph, ends)
    found = []
    for node in graph.nodes:
        axis = _output_axis(node)
        if axis is None:
            continue
        kept = ""
        if node in first:
            kept = "first layer"
        elif node in last:
            kept = "last layer"
        elif _outputs(node, axis) < float_channels:
            kept = "few channels"
        elif _tells_positions(node, readers):
            kept = "offsets"
        found.append(Product(node, axis, kept))
    return found


def _output_axis(node: Node) -> int | None:
    """The axis of the weights that goes along outputs; None where the node is no such product."""
    if node.op not in PRODUCTS:
        return None
    x, weight, bias = node.inputs[0], node.input(1), node.input(2)
    if x is None or x.data is not None or weight is None or weight.data is None:
        return None
    if any(v.type is None or v.type.shape is None for v in (x, node.outputs[0])):
        return None
    if weight.data.dtype != np.float32 or (bias is not None and bias.data is None):
        return None
    if node.op == "MatMul":
        return 1 if weight.data.ndim == 2 else None
    if node.op == "Gemm":
        plain = attribute(node, "alpha") == 1 and attribute(node, "beta") == 1
        one_bias = bias is None or bias.data is None or bias.data.ndim == 1
        if not plain or attribute(node, "transA") or not one_bias:
            return None
        return 0 if attribute(node, "transB") else 1
    if node.op == "ConvTranspose":
        # The weights of a group have columns of their own; one scale each would be needed.
        return 1 if attribute(node, "group") == 1 else None
    return 0


def _outputs(node: Node, axis: int) -> int:
    weight = node.inputs[1]
    assert weight is not None and weight.data is not None
    return int(weight.data.shape[axis])


def _behind_inputs(graph: Graph) -> set[Node]:
    """Products with no product between an input of the graph and their activations."""
    reached, first = set(graph.inputs), set()
    for node in graph.nodes:
        if not any(value in reached for value in node.inputs if value is not None):
            continue
        if node.op in PRODUCTS and _is_float(node):
            if node.inputs[0] in reached:
                first.add(node)
        else:
            reached.update(node.outputs)
    return first


def _before_outputs(graph: Graph, ends: Sequence[Value]) -> set[Node]:
    """Products with no product between their result and one of ``ends``."""
    wanted: set[Value] = set(ends)
    last: set[Node] = set()
    for node in reversed(graph.nodes):
        if wanted.isdisjoint(node.outputs):
            continue
        if node.op in PRODUCTS and _is_float(node):
            last.add(node)
        else:
            wanted.update(value for value in node.inputs if value is not None)
    return last


def _tells_positions(node: Node, readers: dict[Value, list[Node]]) -> bool:
    """Whether some of what ``node`` makes is read as offsets, with no product in between."""
    pending, seen = list(node.outputs), set(node.outputs)
    while pending:
        value = pending.pop()
        for reader in readers.get(value, ()):
            if any(reader.input(index) is value for index in _POSITIONS.get(reader.op, ())):
                return True
            if reader.op in PRODUCTS or reader.op in _POSITIONS:
                continue
            for output in reader.outputs:
                if output not in seen:
                    seen.add(output)
                    pending.append(output)
    return False


def _is_float(node: Node) -> bool:
    kind = node.outputs[0].type
    return kind is not None and kind.dtype.kind == "f"


def extents_of(value: Value) -> tuple[Dim, ...]:
    """The shape of a value, some of whose extents may be open."""
    assert value.type is not None and value.type.shape is not None
    return value.type.shape


def rank_of(value: Value) -> int:
    """Number of axes of a value."""
    return len(extents_of(value))
