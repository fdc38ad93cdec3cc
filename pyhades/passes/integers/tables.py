"""What is computed of one byte and ends as a byte is a table of 256 bytes."""

from __future__ import annotations

import numpy as np

from pyhades.ir.graph import Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.ops.elementwise import element_function
from pyhades.ir.registry import attribute, operator
from pyhades.ir.shapes import shape
from pyhades.numerics.integers import Grid, dequantize, look_up, quantize, requantize
from pyhades.passes.decompose.rule import Builder, dtype_of, source
from pyhades.passes.integers.edges import ByteGrid, Edges
from pyhades.passes.rewriting import Array

_MOST_STEPS = 64
_BYTES = np.arange(256, dtype=np.uint8)


class _NoTable(Exception):
    """A value depends on more than one byte."""


def tabulated(build: Builder, edges: Edges, x: Value, grid: ByteGrid) -> Value | None:
    """``x`` on a grid of bytes, looked up by the bytes from which it is computed.

    None where ``x`` is no function of single bytes, whatever functions and grids lie between.
    """
    tables = _Tables(build, edges)
    try:
        with np.errstate(all="ignore"):
            values = tables.values(x)
    except _NoTable:
        return None
    if tables.root is None or shape(tables.root) != shape(x):
        return None
    points = quantize(np.broadcast_to(values, 256), Grid(grid.scale, grid.zero))
    table = constant(f"{build.name}.table", points)
    return build.apply("LookUp", tables.root, table, suffix="bytes")


class _Tables:
    """The 256 values of whatever is a function of the bytes ``root``, which the first one names."""

    def __init__(self, build: Builder, edges: Edges) -> None:
        self.root: Value | None = None
        self._rewrite, self._edges = build.rewrite, edges
        self._known: dict[Value, Array] = {}
        self._steps = 0

    def values(self, x: Value) -> Array:
        """Of a float32 value."""
        if x not in self._known:
            self._known[x] = self._computed(x)
        return self._known[x]

    def _computed(self, x: Value) -> Array:
        if x.data is not None:
            return _number(x)
        edge = self._edges.get(x)
        if edge is not None:
            return dequantize(self._points(edge.q), Grid(edge.grid.scale, edge.grid.zero))
        node = self._rewrite.resolve(x).producer
        self._steps += 1
        if node is None or not _is_function(node) or self._steps > _MOST_STEPS:
            raise _NoTable
        inputs = [
            None if value is None else self.values(value) for value in self._rewrite.inputs(node)
        ]
        return np.asarray(operator(node.op).reference(node, *inputs)[0])

    def _points(self, q: Value) -> Array:
        node = self._rewrite.resolve(q).producer
        if node is not None and node.op == "LookUp":
            table = source(node, 1).data
            assert table is not None
            return look_up(self._points(source(node)), table)
        if node is not None and node.op == "Requantize":
            grids = (_grid(node, ""), _grid(node, "y_"))
            return requantize(self._points(source(node)), *grids)
        if self.root is None:
            self.root = q
        if self.root is not q:
            raise _NoTable
        return _BYTES


def _grid(node: Node, of: str) -> Grid:
    return Grid(float(attribute(node, f"{of}scale")), int(attribute(node, f"{of}zero")))


def _number(value: Value) -> Array:
    if value.data is None or value.data.size != 1:
        raise _NoTable
    return value.data.reshape(())


def _is_function(node: Node) -> bool:
    """Whether each number of the result is computed of one of each operand."""
    is_float = all(
        value is None or dtype_of(value) == np.float32 for value in (*node.inputs, *node.outputs)
    )
    return is_float and len(node.outputs) == 1 and element_function(node) is not None
