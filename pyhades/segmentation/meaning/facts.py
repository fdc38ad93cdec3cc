"""What is known of the elements of every value: between which numbers they lie, and why.

A network's last node says little: a converter appends a Cast, an exporter a Resize, a tool a
multiplication by 255. So facts are carried forward through the graph, from the operators that
bound their results (a Sigmoid, a Softmax, a Clip) to the outputs.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pyhades.errors import PyhadesError
from pyhades.ir.graph import Graph, Node, TensorType, Value
from pyhades.ir.inference import evaluate, infer_node, type_of
from pyhades.passes import specialise

Kind = Literal["scores", "probabilities", "classes", "labels", "decisions"]
"""Numbers of any size; of 0..1; of 0..1 that sum to 1 over classes; class numbers; yes or no."""

LARGEST_CONSTANT = 4096
"""Elements of a value that is computed to know shapes and bounds; weights are never read."""

WHOLE = (-math.inf, math.inf)


@dataclass(frozen=True)
class Fact:
    """What holds for every element of a value."""

    low: float = -math.inf
    high: float = math.inf
    kind: Kind = "scores"
    axis: int | None = None
    """The axis that the classes lie on, where ``kind`` is ``"classes"``."""
    classes: tuple[int, ...] = ()
    """Which class each channel stands for, or which labels there are; empty where unknown."""
    is_inverted: bool = False
    """Whether it is one minus the probability of ``classes``."""
    origin: str = ""
    """The operator that the bounds come from."""
    path: tuple[str, ...] = ()
    """Operators between the origin and here."""

    @property
    def is_bounded(self) -> bool:
        """Whether both bounds are finite."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def changed(self, **fields: Any) -> Fact:
        """A copy with other fields."""
        return dataclasses.replace(self, **fields)

    def through(self, node: Node, **fields: Any) -> Fact:
        """The fact behind ``node``, which leaves all but ``fields`` as it was."""
        if not self.origin:
            return self.changed(**fields)
        path = self.path if self.path[-1:] == (node.op,) else (*self.path, node.op)
        return self.changed(path=path, **fields)

    def why(self) -> str:
        """Where the bounds come from, in words."""
        if not self.origin:
            return "no operator bounds it"
        through = f", through {', '.join(self.path)}" if self.path else ""
        return f"it comes from {self.origin}{through}"


def made_by(node: Node, low: float, high: float, kind: Kind, **fields: Any) -> Fact:
    """A fact that begins at ``node``."""
    name = f" {node.name!r}" if node.name else ""
    return Fact(low, high, kind, origin=f"{node.op}{name}", **fields)


UNKNOWN = Fact()


class Facts:
    """The facts of all values of a graph.

    Parameters
    ----------
    graph
        The network. It is not changed.
    input_shapes
        Shapes of inputs whose extents are open.

    Attributes
    ----------
    graph
        A copy whose types are known as far as shapes alone tell them, with small constants folded.
    """

    def __init__(
        self, graph: Graph, input_shapes: Mapping[str, Sequence[int]] | None = None
    ) -> None:
        # The rules look values up through this object, so they are imported when it exists.
        from pyhades.segmentation.meaning.rules import apply_rule

        self.graph = specialise(graph, input_shapes)
        self._facts: dict[Value, Fact] = {}
        for node, original in zip(self.graph.nodes, graph.nodes, strict=True):
            _infer(node, [value.type for value in original.outputs])
            if all(value.data is not None for value in node.outputs):
                continue
            fact = apply_rule(node, self)
            for index, value in enumerate(node.outputs):
                self._facts[value] = _of_dtype(fact[index] if index < len(fact) else UNKNOWN, value)

    def of(self, value: Value | None) -> Fact:
        """What is known of ``value``."""
        if value is None:
            return UNKNOWN
        if value.data is not None:
            if 0 < value.data.size <= LARGEST_CONSTANT and value.data.dtype.kind in "fiub":
                data = value.data.astype(np.float64)
                return Fact(float(data.min()), float(data.max()))
            return UNKNOWN
        return self._facts.get(value, UNKNOWN)

    @staticmethod
    def number(value: Value | None) -> float | None:
        """The number that all elements of a small constant are, if there is one."""
        if value is None or value.data is None or not 0 < value.data.size <= LARGEST_CONSTANT:
            return None
        first = value.data.reshape(-1)[0]
        return float(first) if (value.data == first).all() else None

    @staticmethod
    def numbers(value: Value | None) -> list[int] | None:
        """A small constant as a list of integers."""
        if value is None or value.data is None or value.data.size > LARGEST_CONSTANT:
            return None
        return [int(item) for item in value.data.reshape(-1)]


def shape_of(value: Value | None) -> tuple[int, ...] | None:
    """The shape where it is known in full."""
    if value is None or value.type is None or not value.type.is_static:
        return None
    return value.type.static_shape


def rank_of(value: Value | None) -> int | None:
    """The rank where it is known."""
    if value is None or value.type is None or value.type.shape is None:
        return None
    return len(value.type.shape)


def _infer(node: Node, declared: Sequence[TensorType | None]) -> None:
    """Set the types of the outputs and, where they are small and known, the data."""
    try:
        infer_node(node)
        arrays = _small_inputs(node)
        if arrays is not None and _is_small(node):
            for value, array in zip(node.outputs, evaluate(node, arrays), strict=False):
                value.data, value.type = array, type_of(array)
    except (PyhadesError, ValueError, TypeError):
        # An operator whose shape depends on data, or which we do not have: others may still help.
        pass
    for value, kind in zip(node.outputs, declared, strict=True):
        if value.type is None or (shape_of(value) is None and kind is not None and kind.is_static):
            value.type = kind


def _small_inputs(node: Node) -> list[Any] | None:
    if node.op in ("Shape", "Size"):
        source = node.inputs[0]
        extents = shape_of(source)
        if source is None or source.type is None or extents is None:
            return None
        return [np.broadcast_to(np.zeros((), source.type.dtype), extents)]
    arrays = [None if value is None else value.data for value in node.inputs]
    if any(a is None and v is not None for a, v in zip(arrays, node.inputs, strict=True)):
        return None
    if any(array is not None and array.size > LARGEST_CONSTANT for array in arrays):
        return None
    return arrays


def _is_small(node: Node) -> bool:
    shapes = [shape_of(value) for value in node.outputs]
    return all(s is not None and math.prod(s) <= LARGEST_CONSTANT for s in shapes)


def _of_dtype(fact: Fact, value: Value) -> Fact:
    """What the dtype adds: bytes and truth values are bounded by themselves."""
    if value.type is None or fact.is_bounded:
        return fact
    if value.type.dtype == np.bool_:
        return Fact(0, 1, "decisions", origin="a truth value")
    if value.type.dtype == np.uint8:
        return Fact(0, 255, origin="unsigned bytes")
    return fact
