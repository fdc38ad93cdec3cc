"""What the passes have in common: a private copy of a graph, and ways to match and to edit it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pyhades.ir.copying import clone as clone
from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import set_types
from pyhades.ir.registry import operator

Array = np.ndarray[Any, Any]

_LARGEST = float(np.finfo(np.float32).max)


def infer(node: Node) -> Node:
    """``node`` after setting the types of its outputs."""
    set_types(node, operator(node.op).infer(node))
    return node


def scalar(value: Value | None) -> float | None:
    """The number in a constant of one element; None for anything else."""
    stored = None if value is None else value.stored
    if value is None or stored is None or stored.size != 1 or value.data is None:
        return None
    return float(value.data.reshape(-1)[0])


def clip_bounds(node: Node) -> list[float] | None:
    """Both bounds of a Clip if they are constant; an omitted one is the largest number."""
    if node.op != "Clip":
        return None
    bounds: list[float] = []
    for index, fallback in ((1, -_LARGEST), (2, _LARGEST)):
        value = node.input(index)
        number = fallback if value is None else scalar(value)
        if number is None:
            return None
        bounds.append(number)
    return bounds


class Rewrite:
    """A graph that a pass edits: a copy of its argument, so that passes stay pure.

    Patterns are matched backwards, from the node that makes the last value. The node that replaces
    them goes where that node was and makes the same value, so names survive; :meth:`finish`
    drops what is no longer used.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = clone(graph)
        self.readers = Counter(
            value for node in self.graph.nodes for value in node.inputs if value is not None
        )
        self.readers.update(self.graph.outputs)
        self._substitutes: dict[Value, Value] = {}
        self._before: dict[Node, list[Node]] = {}
        self._replaced: dict[Node, Node] = {}

    @property
    def nodes(self) -> list[Node]:
        """The nodes of the graph as it was when the pass began."""
        return self.graph.nodes

    @property
    def changed(self) -> bool:
        """Whether anything has been replaced or substituted."""
        return bool(self._replaced or self._substitutes)

    def resolve(self, value: Value) -> Value:
        """What stands for ``value`` after the substitutions so far."""
        while value in self._substitutes:
            value = self._substitutes[value]
        return value

    def inputs(self, node: Node) -> list[Value | None]:
        """The inputs of ``node`` after the substitutions so far."""
        return [None if value is None else self.resolve(value) for value in node.inputs]

    def producer(self, value: Value | None, *ops: str) -> Node | None:
        """The node that makes ``value`` if its operator is one of ``ops``."""
        if value is None:
            return None
        node = self.resolve(value).producer
        return node if node is not None and node.op in ops else None

    def private(self, value: Value | None, *ops: str) -> Node | None:
        """Like :meth:`producer`, but only if nothing else reads the value."""
        node = self.producer(value, *ops)
        alone = node is not None and self.readers[node.outputs[0]] == 1 and len(node.outputs) == 1
        return node if alone else None

    def substitute(self, old: Value, new: Value) -> None:
        """Let every reader of ``old`` read ``new``."""
        self._substitutes[old] = new
        self.readers[new] += self.readers.pop(old, 0)

    def new(
        self, op: str, inputs: Sequence[Value | None], name: str, before: Node, **attributes: Any
    ) -> Value:
        """The result of a new node, which is placed before ``before``."""
        return self.new_all(op, inputs, [name], before, **attributes)[0]

    def new_all(
        self,
        op: str,
        inputs: Sequence[Value | None],
        names: Sequence[str],
        before: Node,
        **attributes: Any,
    ) -> list[Value]:
        """The results of a new node with several outputs, which is placed before ``before``."""
        outputs = [Value(name) for name in names]
        node = infer(Node(op, list(inputs), outputs, attributes, names[0]))
        self._before.setdefault(before, []).append(node)
        self._count(node, +1)
        return outputs

    def replace(
        self, node: Node, op: str, inputs: Sequence[Value | None], **attributes: Any
    ) -> Node:
        """Let a new node make the outputs of ``node``, at its place."""
        self._count(node, -1)
        kinds = [value.type for value in node.outputs]
        fresh = infer(Node(op, list(inputs), node.outputs, attributes, node.name))
        assert [v.type for v in fresh.outputs] == kinds, f"{op} changes a type: {kinds} {fresh!r}"
        self._replaced[node] = fresh
        self._count(fresh, +1)
        return fresh

    def stand_in(self, node: Node, value: Value) -> None:
        """Let what was last placed before ``node``, to make ``value``, make its output instead."""
        last = self._before[node].pop()
        assert last.outputs == [value], f"{last!r} does not make {value!r}"
        self._count(last, -1)
        self.replace(node, last.op, last.inputs, **last.attributes)

    def finish(self) -> Graph:
        """The edited graph, without dead nodes."""
        nodes: list[Node] = []
        for node in self.graph.nodes:
            nodes += self._current(self._before.get(node, []))
            nodes += self._current([node])
        for node in nodes:
            node.inputs = self.inputs(node)
        self.graph.outputs = [self.resolve(value) for value in self.graph.outputs]
        self.graph.nodes = live(nodes, self.graph.outputs)
        return self.graph

    def _current(self, nodes: Iterable[Node]) -> list[Node]:
        result = []
        for node in nodes:
            while node in self._replaced:
                node = self._replaced[node]
            result.append(node)
        return result

    def _count(self, node: Node, change: int) -> None:
        for value in node.inputs:
            if value is not None:
                self.readers[self.resolve(value)] += change


def live(nodes: Iterable[Node], outputs: Iterable[Value]) -> list[Node]:
    """The nodes that ``outputs`` need, in the same order."""
    needed = set(outputs)
    kept: list[Node] = []
    for node in reversed(list(nodes)):
        if not needed.isdisjoint(node.outputs):
            kept.append(node)
            needed.update(value for value in node.inputs if value is not None)
    return kept[::-1]
