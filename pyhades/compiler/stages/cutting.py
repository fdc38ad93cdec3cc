"""Where a graph is cut: what can be compiled, what Python runs then, and what has to wait."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyhades.compiler.lowering import has_kernel
from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.ops.control import ControlFlow
from pyhades.ir.ops.layout import Movement
from pyhades.ir.registry import operator

LARGEST_DECISION = 64
"""Elements of a value that programs are compiled for; by larger ones, Python runs the operator."""


@dataclass
class Cut:
    """A graph in three parts."""

    before: list[Node] = field(default_factory=list)
    """What can be compiled now."""
    host: list[Node] = field(default_factory=list)
    """What Python runs on results of the first part, and on them only."""
    after: list[Node] = field(default_factory=list)
    """What reads something that is not there before the second part has run."""
    deciding: list[Value] = field(default_factory=list)
    """Values that the third part is compiled for; all others matter to it by their shapes."""


def is_static(graph: Graph) -> bool:
    """Whether a graph can be compiled as it is, its constants being folded."""
    return all(_is_known(node) for node in graph.nodes)


def lacks_kernel(node: Node) -> bool:
    """Whether nothing but NumPy computes an operator whose sizes are known."""
    rule = operator(node.op)
    if rule.sizes_depend_on_data or isinstance(rule, Movement | ControlFlow):
        return False
    known = all(value.type is not None and value.type.is_static for value in node.outputs)
    return known and not has_kernel(node.op)


def cut(graph: Graph) -> Cut:
    """Cut a graph whose constants are folded and whose inputs have static types."""
    result = Cut()
    missing: set[Value] = set()
    for node in graph.nodes:
        if any(value in missing for value in node.inputs):
            part = result.after
        elif _is_known(node):
            part = result.before
        elif _can_wait(node):
            part = result.after
            result.deciding += [v for v in _open_decisions(node) if v not in result.deciding]
        else:
            part = result.host
        part.append(node)
        if part is not result.before:
            missing.update(node.outputs)
    return result


def _is_known(node: Node) -> bool:
    """Whether nothing more than is known now has to be known to compile a node."""
    rule = operator(node.op)
    if rule.sizes_depend_on_data or not has_kernel(node.op) or _open_decisions(node):
        return False
    return all(value.type is not None and value.type.is_static for value in node.outputs)


def _open_decisions(node: Node) -> list[Value]:
    """Inputs whose values would have to be known."""
    values = [node.input(index) for index in operator(node.op).deciding]
    return [value for value in values if value is not None and value.data is None]


def _can_wait(node: Node) -> bool:
    """Whether a node is compiled when its deciding inputs are known.

    Where elements are only moved Python does it: a program for each new number would cost more.
    """
    rule, decisions = operator(node.op), _open_decisions(node)
    if not decisions or isinstance(rule, Movement) or not has_kernel(node.op):
        return False
    return all(_is_small(value) for value in decisions)


def _is_small(value: Value) -> bool:
    kind = value.type
    if kind is None or not kind.is_static:
        return False
    count = 1
    for extent in kind.static_shape:
        count *= extent
    return count <= LARGEST_DECISION
