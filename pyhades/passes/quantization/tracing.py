"""Follow integers back to where a QuantizeLinear made them of floats."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pyhades.ir.carried import moves
from pyhades.ir.graph import Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.ops.quantization import GRID, axis_of
from pyhades.ir.registry import attribute
from pyhades.passes.decompose.rule import Builder, dtype_of

_INDEXED = {"GatherElements", "Gather", "GatherND"}
"""Which may read a table of integers that is constant; that stays a table."""


@dataclass
class Dequantized:
    """What the integers that one DequantizeLinear reads stand for.

    The integers may have been moved, or chosen from, since they were made: that is then done with
    the floats.
    """

    build: Builder
    node: Node
    done: dict[Value, Value] = field(default_factory=dict)

    @classmethod
    def of(cls, build: Builder, node: Node) -> Value | None:
        """The floats; None unless all of the integers come from floats."""
        trace = cls(build, node)
        q = node.inputs[0]
        assert q is not None
        if q.data is not None or not trace.comes_from_floats(q):
            return None
        return trace.real(q)

    def comes_from_floats(self, q: Value) -> bool:
        """Whether :meth:`real` has an answer."""
        source = q.producer
        if q.data is not None:
            return self._is_per_tensor()
        if source is None or source.outputs[0] is not q or len(source.outputs) > 1:
            return False
        if source.op == "QuantizeLinear":
            return self._has_same_integers(source)
        if not self._is_per_tensor() or not moves(source) or source.op in _INDEXED:
            return False
        return all(self.comes_from_floats(value) for value in _moved(source))

    def real(self, q: Value) -> Value:
        """What ``q`` stands for."""
        if q not in self.done:
            self.done[q] = self._real(q, f"real{len(self.done)}")
        return self.done[q]

    def _real(self, q: Value, name: str) -> Value:
        build, source = self.build, q.producer
        if q.data is not None:
            inputs = [q, *self.node.inputs[1:]]
            return build.apply("DequantizeLinear", *inputs, suffix=name, **self.node.attributes)
        assert source is not None
        if source.op == "QuantizeLinear":
            y = self._on_grid(source, name)
            return build.cast(y, dtype_of(self.node.outputs[0]), f"{name}.cast")
        moved, inputs = _moved(source), build.rewrite.inputs(source)
        replaced = [self.real(v) if v is not None and v in moved else v for v in inputs]
        return build.apply(source.op, *replaced, suffix=name, **source.attributes)

    def _on_grid(self, source: Node, name: str) -> Value:
        """What the DequantizeLinear makes of the integers that ``source`` made."""
        x, scale, zero = [*self.build.rewrite.inputs(source), None][:3]
        wanted = self.build.rewrite.inputs(self.node)[1]
        grid = {key: value for key, value in source.attributes.items() if key in GRID}
        if _equal(scale, wanted):
            return self.build.apply("FakeQuantize", x, scale, zero, suffix=name, **grid)
        # The same integers on a grid of another step: that of steps of 1, stretched.
        one = constant(f"{self.build.name}.{name}.one", np.ones((), np.float32))
        assert x is not None
        wide = self.build.cast(x, np.float32, f"{name}.wide")
        quotient = self.build.apply("Div", wide, scale, suffix=f"{name}.quotient")
        q = self.build.apply("FakeQuantize", quotient, one, zero, suffix=f"{name}.steps", **grid)
        if _equal(one, wanted):
            return q
        return self.build.apply("Mul", q, wanted, suffix=name)

    def _is_per_tensor(self) -> bool:
        return axis_of(self.node) is None

    def _has_same_integers(self, source: Node) -> bool:
        """Whether the grid of ``source`` is that of the DequantizeLinear, up to a factor."""
        per_tensor = self._is_per_tensor()
        names = ("storage",) if per_tensor else tuple(GRID)
        if any(attribute(source, name) != attribute(self.node, name) for name in names):
            return False
        made, read = ([*self.build.rewrite.inputs(node), None][1:3] for node in (source, self.node))
        return _equal(made[1], read[1]) and (per_tensor or _equal(made[0], read[0]))


def _moved(source: Node) -> list[Value]:
    """The inputs of ``source`` whose elements it moves."""
    inputs = source.inputs if source.op == "Concat" else source.inputs[:1]
    return [value for value in inputs if value is not None]


def _equal(a: Value | None, b: Value | None) -> bool:
    """Whether two parameters are equal; an omitted zero point is 0."""
    if a is b:
        return True
    if any(value is not None and value.data is None for value in (a, b)):
        return False
    first, second = (np.zeros(()) if v is None or v.data is None else v.data for v in (a, b))
    if first.size == second.size == 1:
        return bool(first.reshape(()) == second.reshape(()))
    if a is not None and b is not None and first.shape != second.shape:
        return False
    return bool((first == second).all())
