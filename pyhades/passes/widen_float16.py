"""Networks in float16 compute in float32, and round where the file does.

Every float16 value becomes a float32 value that float16 could hold. Operators that move elements
keep it so; after those that compute stands a ``RoundFloat16``, which fuses like any function of one
element: into chains, and into the products before it. So results are those of float16 storage,
and nothing is converted but inputs, outputs and what only kernels of float16 can do.
"""

from __future__ import annotations

import numpy as np

from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.ops.elementwise import element_function
from pyhades.passes.rewriting import clone, infer, live

_MOVES = {
    *("Compress", "Concat", "DepthToSpace", "Dropout", "Expand", "Flatten", "Gather"),
    *("GatherElements", "GatherND", "Identity", "MaxPool", "Pad", "ReduceMax", "ReduceMin"),
    *("Reshape", "ReverseSequence", "Roll", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile"),
    *("Transpose", "Trilu", "Unsqueeze", "Where"),
}
"""Operators whose results are elements of their inputs."""

_EXACT = {"abs", "ceil", "clip", "copy", "floor", "max", "min", "neg", "relu", "round", "sign"}
"""Functions that give numbers of float16 for such."""

_COMPUTES = {
    *("ArgMax", "ArgMin", "Clip", "Max", "Mean", "Min", "Sum"),
    *("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMean", "ReduceProd"),
    *("ReduceSum", "ReduceSumSquare"),
}
"""What else may be computed in float32 and rounded."""


def widen_float16(graph: Graph) -> Graph:
    """Replace float16 arithmetic by float32 arithmetic and roundings. Types must be static."""
    if not any(_is_half(value) for value in graph.values()):
        return graph
    return _Widening(clone(graph)).run()


def _is_half(value: Value | None) -> bool:
    return value is not None and value.type is not None and value.type.dtype == np.float16


class _Widening:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Node] = []
        self.stored = set(graph.inputs)  # float16 values that exist as such
        self.wide: dict[Value, Value] = {}
        self.representable: set[Value] = set()  # float32 values that float16 could hold

    def run(self) -> Graph:
        """The edited graph."""
        for node in self.graph.nodes:
            self._rewrite(node)
        self.graph.outputs = [self._narrowed(value) for value in self.graph.outputs]
        self.graph.nodes = live(self.nodes, self.graph.outputs)
        return self.graph

    def _rewrite(self, node: Node) -> None:
        half = any(_is_half(value) for value in (*node.inputs, *node.outputs))
        if half and node.op in ("Cast", "CastLike"):
            self._cast(node)
        elif half and self._may_widen(node):
            self._compute(node)
        else:
            node.inputs = [None if v is None else self._narrowed(v) for v in node.inputs]
            self.stored.update(node.outputs)
            self.nodes.append(node)
            if self._moves(node):
                self.representable.update(node.outputs)

    def _may_widen(self, node: Node) -> bool:
        row = element_function(node)
        known = row is not None and (row.is_step or row.is_predicate)
        nearest = node.op == "Resize" and node.attributes.get("mode", "nearest") == "nearest"
        return known or nearest or node.op in _MOVES or node.op in _COMPUTES

    def _moves(self, node: Node) -> bool:
        """Whether the results are representable as the inputs are."""
        read = [v for v in node.inputs if v is not None and v.type is not None]
        floats = [v for v in read if v.type is not None and v.type.dtype == np.float32]
        return node.op in _MOVES and all(value in self.representable for value in floats)

    def _compute(self, node: Node) -> None:
        """``node`` over the wide inputs, rounded unless that changes nothing."""
        row = element_function(node)
        nearest = node.op == "Resize"
        exact = node.op in _MOVES or nearest or (row is not None and row.name in _EXACT)
        exact = exact or node.op in ("Max", "Min")
        outputs = [Value(v.name) if _is_half(v) else v for v in node.outputs]
        inputs = [None if v is None else self._widened(v) for v in node.inputs]
        self.nodes.append(infer(Node(node.op, inputs, outputs, node.attributes, node.name)))
        for old, new in zip(node.outputs, outputs, strict=True):
            if old is new:
                continue
            self._stand_for(old, new if exact else self._rounded(new, old.name))

    def _cast(self, node: Node) -> None:
        """To float16 a rounding, from float16 nothing, or a conversion of the wide value."""
        x, y = node.inputs[0], node.outputs[0]
        assert x is not None and x.type is not None and y.type is not None
        if not _is_half(y):
            wide = self._widened(x)
            if y.type.dtype == np.float32:
                self.wide[y] = wide
                return
            self.nodes.append(infer(Node("Cast", [wide], [y], {"to": y.type.dtype}, node.name)))
        elif _is_half(x):
            self._stand_for(y, self._widened(x))
        elif x.type.dtype == np.float64:  # by way of float32 it would be rounded twice
            self.nodes.append(infer(Node("Cast", [x], [y], {"to": y.type.dtype}, node.name)))
            self.stored.add(y)
        else:
            wide = self._resolved(x)
            if x.type.dtype != np.float32:
                wide = self._emit("Cast", wide, f"{y.name}.wide", to=np.dtype(np.float32))
            exact = wide in self.representable
            self._stand_for(y, wide if exact else self._rounded(wide, y.name))

    def _stand_for(self, old: Value, wide: Value) -> None:
        self.wide[old] = wide
        self.representable.add(wide)

    def _rounded(self, wide: Value, name: str) -> Value:
        if wide.name == name:
            wide.name = f"{name}.exact"
        return self._emit("RoundFloat16", wide, name)

    def _emit(self, op: str, x: Value, name: str, **attributes: object) -> Value:
        result = Value(name)
        self.nodes.append(infer(Node(op, [x], [result], attributes, name)))
        return result

    def _resolved(self, value: Value) -> Value:
        """A float32 value, or what stands for it since a Cast of a float16 value was dropped."""
        return self.wide.get(value, value)

    def _widened(self, value: Value) -> Value:
        """What to read in the place of ``value`` to compute in float32."""
        if not _is_half(value) or value in self.wide:
            return self._resolved(value)
        if value.data is not None:
            wide = constant(value.name, value.data.astype(np.float32))
        else:
            wide = self._emit("Cast", value, f"{value.name}.wide", to=np.dtype(np.float32))
        self._stand_for(value, wide)
        return wide

    def _narrowed(self, value: Value) -> Value:
        """What to read in the place of ``value`` in its own dtype."""
        if not _is_half(value):
            return self._resolved(value)
        if value in self.stored or value.data is not None:
            return value
        wide, half = self.wide[value], {"to": np.dtype(np.float16)}
        if wide.name == value.name:
            wide.name = f"{value.name}.wide"
        self.nodes.append(infer(Node("Cast", [wide], [value], half, value.name)))
        self.stored.add(value)
        return value
