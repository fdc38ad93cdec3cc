"""Control flow whose course is known becomes nodes in a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyhades.ir.copying import clone
from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.ops.control import ControlFlow, If, Loop, Scan, truth
from pyhades.ir.registry import operator

UNROLLED_NODES = 256
"""The most nodes that a Loop or Scan is written out to; longer ones run step by step."""
MOST_UNROLLED = 1024
"""The most that all of a graph may come to: loops within loops multiply."""


def inline(node: Node, written: int = 0) -> list[Node] | None:
    """The nodes that make the outputs of ``node``; None where its course is not known yet.

    An If with a constant condition becomes the graph that it chooses, a Loop or Scan with a known
    number of steps becomes its steps, unless these are many. ``written`` is the number of nodes
    that were written out before.
    """
    rule = operator(node.op)
    if isinstance(rule, If):
        return _choice(node, rule)
    if written > MOST_UNROLLED:
        return None
    if isinstance(rule, Loop):
        return _loop(node, rule)
    if isinstance(rule, Scan):
        return _scan(node, rule)
    return None


def sink_constants(node: Node) -> None:
    """Let the graphs of ``node`` have the captures that are constant as constants of their own."""
    rule = operator(node.op)
    if not isinstance(rule, ControlFlow):
        return
    first = rule.captures(node)
    captures = node.inputs[first:]
    known = [value is not None and value.is_constant for value in captures]
    if not any(known):
        return
    for name in rule.graphs:
        node.attributes[name] = _with_constants(node.attributes[name], captures, known)
    node.inputs = node.inputs[:first] + [
        value for value, is_known in zip(captures, known, strict=True) if not is_known
    ]


def _with_constants(graph: Graph, captures: Sequence[Value | None], known: list[bool]) -> Graph:
    twin = clone(graph)
    split = len(twin.inputs) - len(captures)
    kept = twin.inputs[:split]
    for own, value, is_known in zip(twin.inputs[split:], captures, known, strict=True):
        if is_known and value is not None:
            own.kept, own.type = value.kept, value.type
        else:
            kept.append(own)
    twin.inputs = kept
    return twin


class _Writer:
    """Writes copies of the graphs of a node out, one after the other."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.nodes: list[Node] = []
        self.name = node.outputs[0].name

    def write(self, graph: Graph, inputs: Sequence[Value | None], step: str = "") -> list[Value]:
        """The outputs of a copy of ``graph`` on ``inputs``, named behind the node."""
        twin = clone(graph)
        given = dict(zip(twin.inputs, inputs, strict=True))
        for inner in twin.nodes:
            inner.inputs = [v if v is None else given.get(v, v) for v in inner.inputs]
            inner.name = f"{self.name}/{step}{inner.name}"
            for value in inner.outputs:
                value.name, value.type = f"{self.name}/{step}{value.name}", None
        self.nodes += twin.nodes
        # An output may be one of the inputs; an omitted one cannot be, since nothing reads it.
        return [given.get(value, value) or value for value in twin.outputs]

    def apply(
        self, op: str, inputs: Sequence[Value | None], name: str, **attributes: object
    ) -> Value:
        """The result of a new node."""
        value = Value(f"{self.name}/{name}")
        self.nodes.append(Node(op, list(inputs), [value], attributes, value.name))
        return value

    def finish(self, results: Sequence[Value]) -> list[Node]:
        """All nodes, the last of which make the outputs of the node of these results."""
        for value, result in zip(self.node.outputs, results, strict=True):
            self.nodes.append(Node("Identity", [result], [value], {}, self.node.name))
        return self.nodes

    def stack(self, steps: Sequence[Value], axis: int, name: str) -> Value:
        """What the steps made, along a new axis."""
        axes = constant(f"{self.name}/{name}.axis", np.array([axis], np.int64))
        parts = [
            self.apply("Unsqueeze", [value, axes], f"{name}.{step}")
            for step, value in enumerate(steps)
        ]
        return self.apply("Concat", parts, name, axis=axis)


def _choice(node: Node, rule: If) -> list[Node] | None:
    condition = node.inputs[0]
    if condition is None or condition.data is None:
        return None
    chosen = rule.graphs[0] if truth(node, condition.data) else rule.graphs[1]
    writer = _Writer(node)
    return writer.finish(writer.write(node.attributes[chosen], node.inputs[1:]))


def _size(graph: Graph) -> int:
    """Number of nodes, those of inner graphs included."""
    inner = sum(_size(part) for node in graph.nodes for part in node.graphs())
    return len(graph.nodes) + inner


def _is_few(body: Graph, steps: int) -> bool:
    return steps > 0 and steps * max(_size(body), 1) <= UNROLLED_NODES


def _loop(node: Node, rule: Loop) -> list[Node] | None:
    most, condition = node.input(0), node.input(1)
    body: Graph = node.attributes["body"]
    if most is None or most.data is None or not _goes_on(body, condition):
        return None
    steps, count = int(most.data.reshape(())), int(node.attributes["carried"])
    if not _is_few(body, steps):
        return None
    number, going = rule.heads(node)
    flag = constant(f"{node.name}.true", np.full(going.static_shape, True))
    carried, captures = node.inputs[2 : 2 + count], node.inputs[2 + count :]
    writer, added = _Writer(node), []
    for step in range(steps):
        at = constant(f"{node.name}.{step}", np.full(number.static_shape, step, np.int64))
        _, *results = writer.write(body, [at, flag, *carried, *captures], f"{step}/")
        carried = list(results[:count])
        added.append(results[count:])
    stacks = [
        writer.stack(list(values), 0, f"stacked.{index}")
        for index, values in enumerate(zip(*added, strict=True))
    ]
    return writer.finish([*(value for value in carried if value is not None), *stacks])


def _goes_on(body: Graph, condition: Value | None) -> bool:
    """Whether a Loop that begins with ``condition`` ends by the number of its steps alone."""
    begins = condition is None or (condition.data is not None and bool(condition.data.all()))
    goes: Value | None = body.outputs[0]
    while goes is not None and goes.producer is not None and goes.producer.op == "Identity":
        goes = goes.producer.inputs[0]
    stays = goes is body.inputs[1]
    return begins and (
        stays or (goes is not None and goes.data is not None and bool(goes.data.all()))
    )


def _scan(node: Node, rule: Scan) -> list[Node] | None:
    body: Graph = node.attributes["body"]
    first, last = int(node.attributes["carried"]), rule.captures(node)
    if any(v is None or v.type is None or v.type.shape is None for v in node.inputs[first:last]):
        return None
    steps = rule.steps(node)
    if isinstance(steps, str) or not _is_few(body, steps):
        return None
    axes = rule.axes(node)
    backwards = rule.listed(node, "scan_input_directions", last - first)
    writer, carried, added = _Writer(node), node.inputs[:first], []
    for step in range(steps):
        slices = []
        for index, value in enumerate(node.inputs[first:last]):
            at = steps - 1 - step if backwards[index] else step
            position = constant(f"{node.name}.{at}", np.array(at, np.int64))
            name = f"{step}/slice.{index}"
            slices.append(writer.apply("Gather", [value, position], name, axis=axes[index]))
        results = writer.write(body, [*carried, *slices, *node.inputs[last:]], f"{step}/")
        carried = list(results[:first])
        added.append(results[first:])
    stacked = [list(values) for values in zip(*added, strict=True)]
    axes = rule.listed(node, "scan_output_axes", len(stacked))
    ends = rule.listed(node, "scan_output_directions", len(stacked))
    stacks = [
        writer.stack(values[::-1] if back else values, axis, f"stacked.{index}")
        for index, (values, axis, back) in enumerate(zip(stacked, axes, ends, strict=True))
    ]
    return writer.finish([*(value for value in carried if value is not None), *stacks])
