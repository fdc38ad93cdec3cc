"""Values, nodes and graphs.

The IR speaks ONNX: an operator has the name and the semantics that it has in the newest opset, with
inputs in that order. Importers translate older spellings. Passes add fused operators of our own
(see :mod:`pyhades.ir.ops`). Layout, memory and kernels are not the business of this module.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyhades.ir.grid_points import GridPoints
from pyhades.ir.quantization import Quantization

Dim = int | str
"""An extent that is known, or the name of one that is not (``"batch"``)."""


@dataclass(frozen=True)
class TensorType:
    """dtype and shape of a value; ``shape`` is None where even the rank is unknown.

    ``quantization`` says on which grid the numbers lie, if it is known that they lie on one. Types
    that differ in nothing else are equal: what computes with the numbers need not know.
    """

    dtype: np.dtype[Any]
    shape: tuple[Dim, ...] | None
    quantization: Quantization | None = field(default=None, compare=False)

    @property
    def is_static(self) -> bool:
        """Whether every extent is a number."""
        return self.shape is not None and all(isinstance(dim, int) for dim in self.shape)

    @property
    def static_shape(self) -> tuple[int, ...]:
        """The shape as integers; ValueError where an extent is unknown."""
        if self.shape is None:
            raise ValueError("the rank is unknown")
        extents = tuple(dim for dim in self.shape if isinstance(dim, int))
        if len(extents) != len(self.shape):
            raise ValueError(f"the shape {self.shape} has unknown extents")
        return extents

    def __str__(self) -> str:
        shape = "?" if self.shape is None else ",".join(str(dim) for dim in self.shape)
        grid = "" if self.quantization is None else f" on {self.quantization}"
        return f"{self.dtype.name}[{shape}]{grid}"


class Value:
    """One tensor of a graph: a constant if it has ``data``, else made by ``producer`` or fed in.

    Attributes
    ----------
    name
        Unique among the values of a graph that comes from a file.
    type
        What is known of dtype, shape and grid.
    kept
        How a constant is kept: as an array, or as integers of a grid. An array may be a read-only
        view into a memory-mapped file; treat it as immutable.
    """

    __slots__ = ("__weakref__", "_producer", "kept", "name", "type")

    def __init__(
        self,
        name: str,
        type: TensorType | None = None,
        data: np.ndarray[Any, Any] | GridPoints | None = None,
    ) -> None:
        self.name = name
        self.type = type
        self.kept = data
        # Weak, since the node holds its outputs: a graph that a pass has superseded goes away at
        # once, not when the cycle collector comes. The graph (or the pass at work) holds the nodes.
        self._producer: weakref.ref[Node] | None = None

    @property
    def data(self) -> np.ndarray[Any, Any] | None:
        """The elements of a constant, else None.

        What is kept as integers is computed each time, so ask ``is_constant`` where elements do not
        matter, and do not tell constants apart by the identity of their data.
        """
        return self.kept.numbers() if isinstance(self.kept, GridPoints) else self.kept

    @data.setter
    def data(self, data: np.ndarray[Any, Any] | None) -> None:
        self.kept = data

    @property
    def stored(self) -> np.ndarray[Any, Any] | None:
        """The array behind a constant: its elements or their integers."""
        return self.kept.integers if isinstance(self.kept, GridPoints) else self.kept

    @property
    def producer(self) -> Node | None:
        """The node that makes the value, as long as its graph lives."""
        return None if self._producer is None else self._producer()

    @producer.setter
    def producer(self, node: Node | None) -> None:
        self._producer = None if node is None else weakref.ref(node)

    @property
    def is_constant(self) -> bool:
        """Whether the value is known at compile time."""
        return self.kept is not None

    def __repr__(self) -> str:
        return f"%{self.name}" if self.type is None else f"%{self.name} {self.type}"


@dataclass(eq=False, slots=True, weakref_slot=True)
class Node:
    """One operator application; an omitted optional input is None."""

    op: str
    inputs: list[Value | None]
    outputs: list[Value]
    attributes: dict[str, Any] = field(default_factory=dict)
    name: str = ""

    def __post_init__(self) -> None:
        for value in self.outputs:
            value.producer = self

    def input(self, index: int) -> Value | None:
        """Input ``index``, or None where it was omitted."""
        return self.inputs[index] if index < len(self.inputs) else None

    def graphs(self) -> list[Graph]:
        """The graphs in its attributes."""
        return [item for item in self.attributes.values() if isinstance(item, Graph)]

    def __repr__(self) -> str:
        outputs = ", ".join(f"%{value.name}" for value in self.outputs)
        inputs = ", ".join("_" if value is None else f"%{value.name}" for value in self.inputs)
        return f"{outputs} = {self.op}({inputs}) {self.attributes or ''}".rstrip()


@dataclass(eq=False)
class Graph:
    """Nodes in an order in which every value is made before it is used."""

    inputs: list[Value]
    outputs: list[Value]
    nodes: list[Node]
    name: str = "graph"
    source: str | None = None
    """The file that the graph came from, for error messages and for pickling by path."""
    metadata: dict[str, str] = field(default_factory=dict)

    def values(self) -> Iterator[Value]:
        """Every value once: inputs, constants and results, in order of first appearance."""
        seen: set[int] = set()

        def fresh(values: Iterable[Value | None]) -> Iterator[Value]:
            for value in values:
                if value is not None and id(value) not in seen:
                    seen.add(id(value))
                    yield value

        yield from fresh(self.inputs)
        for node in self.nodes:
            yield from fresh(node.inputs)
            yield from fresh(node.outputs)
        yield from fresh(self.outputs)

    def all_values(self) -> Iterator[Value]:
        """Every value of this graph and of the graphs in attributes of its nodes."""
        yield from self.values()
        for node in self.nodes:
            for inner in node.graphs():
                yield from inner.all_values()

    def consumers(self) -> dict[Value, list[Node]]:
        """Which nodes read each value (graph outputs are not listed)."""
        readers: dict[Value, list[Node]] = {}
        for node in self.nodes:
            for value in dict.fromkeys(v for v in node.inputs if v is not None):
                readers.setdefault(value, []).append(node)
        return readers

    def __str__(self) -> str:
        lines = [f"graph {self.name}({', '.join(repr(value) for value in self.inputs)})"]
        lines += [f"  {node!r}" for node in self.nodes]
        lines.append(f"  return {', '.join(repr(value) for value in self.outputs)}")
        return "\n".join(lines)
