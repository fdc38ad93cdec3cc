"""The registry of rules, and the vocabulary that they are written in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.shapes import shape
from pyhades.passes.rewriting import Rewrite

DType = np.dtype[Any]
Rule = Callable[["Builder", Node], None]
Condition = Callable[[Node], bool]

_RULES: dict[str, list[tuple[Condition, Rule]]] = {}


def decompose(graph: Graph) -> Graph:
    """Apply rules until none applies. Types must be static."""
    while True:
        rewrite = Rewrite(graph)
        for node in rewrite.nodes:
            node.inputs = rewrite.inputs(node)
            rule = next((rule for when, rule in _RULES.get(node.op, ()) if when(node)), None)
            if rule is not None:
                rule(Builder(rewrite, node), node)
        graph = rewrite.finish()
        if not rewrite.changed:
            return graph


def is_decomposed(op: str) -> bool:
    """Whether there are rules for nodes of ``op``."""
    return op in _RULES


def always(node: Node) -> bool:
    """The condition of rules that apply to every node."""
    return True


def rule(*ops: str, when: Condition = always, first: bool = False) -> Callable[[Rule], Rule]:
    """Decorator: the function rewrites nodes of ``ops`` that meet a condition.

    One rule applies at a time, one that is registered as ``first`` before the others. A rule must
    lead to nodes to which it does not apply.
    """

    def register(function: Rule) -> Rule:
        for op in ops:
            rules = _RULES.setdefault(op, [])
            rules.insert(0 if first else len(rules), (when, function))
        return function

    return register


def source(node: Node, index: int = 0) -> Value:
    """A required input."""
    value = node.inputs[index]
    assert value is not None
    return value


def dtype_of(value: Value) -> DType:
    """The dtype of a value."""
    assert value.type is not None
    return value.type.dtype


def is_float64(node: Node) -> bool:
    """Whether a node computes in float64, for which chains and fused kernels do not exist."""
    return dtype_of(source(node)) == np.float64


class Builder:
    """Short names for the operators that rules are made of; new nodes go before a given one."""

    def __init__(self, rewrite: Rewrite, node: Node) -> None:
        self.rewrite, self.node, self.name = rewrite, node, node.outputs[0].name

    def apply(self, op: str, *inputs: Value | None, suffix: str = "", **attributes: Any) -> Value:
        """The result of a new node."""
        return self.apply_all(op, inputs, [suffix or op.lower()], **attributes)[0]

    def apply_all(
        self, op: str, inputs: Sequence[Value | None], suffixes: Sequence[str], **attributes: Any
    ) -> list[Value]:
        """The results of a new node with several outputs."""
        names = [f"{self.name}.{suffix}" for suffix in suffixes]
        return self.rewrite.new_all(op, inputs, names, self.node, **attributes)

    def number(self, value: float, like: Value) -> Value:
        """A constant scalar of the dtype of ``like``."""
        return constant(f"{self.name}.{value}", np.asarray(value).astype(dtype_of(like)))

    def integers(self, suffix: str, numbers: Sequence[int]) -> Value:
        """A constant int64 vector."""
        return constant(f"{self.name}.{suffix}", np.array(numbers, np.int64))

    def cast(self, x: Value, dtype: Any, suffix: str = "cast") -> Value:
        """``x`` in another dtype; as it is if it has that one."""
        if dtype_of(x) == dtype:
            return x
        return self.apply("Cast", x, suffix=suffix, to=np.dtype(dtype))

    def reshape(self, x: Value, extents: Sequence[int], suffix: str = "reshaped") -> Value:
        """``x`` in another shape."""
        if shape(x) == tuple(extents):
            return x
        target = self.integers(f"{suffix}.shape", extents)
        return self.apply("Reshape", x, target, suffix=suffix, allowzero=1)

    def transpose(self, x: Value, perm: Sequence[int]) -> Value:
        """``x`` with its axes in the order ``perm``."""
        return self.apply("Transpose", x, suffix="transposed", perm=list(perm))

    def slice(
        self, x: Value, axis: int, start: int, stop: int, suffix: str = "slice", step: int = 1
    ) -> Value:
        """Positions of one axis."""
        parts = (start, stop, axis, step)
        bounds = [self.integers(f"{suffix}.{number}", [number]) for number in parts]
        return self.apply("Slice", x, *bounds, suffix=suffix)

    def reduce(self, op: str, x: Value, axes: Sequence[int]) -> Value:
        """``x`` reduced over ``axes``, which stay with extent 1."""
        return self.apply(op, x, self.integers(f"{op}.axes", axes), keepdims=1)

    def become(self, op: str, *inputs: Value | None, **attributes: Any) -> None:
        """Let a new node make the output of the node."""
        self.rewrite.replace(self.node, op, inputs, **attributes)

    def become_reshape(self, x: Value) -> None:
        """Let the output of the node be ``x`` in its shape."""
        target = self.integers("shape", shape(self.node.outputs[0]))
        self.become("Reshape", x, target, allowzero=1)
