"""Activations that exporters write as several operators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyhades.ir.graph import Node, Value
from pyhades.segmentation.meaning.facts import Fact, made_by, rank_of, shape_of
from pyhades.segmentation.meaning.rules.table import rule

if TYPE_CHECKING:
    from pyhades.segmentation.meaning.facts import Facts

NEAR = 6
"""Nodes that a pattern spans at most, from its last one back."""


@rule("Div", first=True)
def _min_max(node: Node, facts: Facts) -> Fact | None:
    """``(x - min(x)) / (max(x) - min(x))``: the least becomes 0 and the largest 1."""
    dividend, divisor = (_operators(value) for value in node.inputs[:2])
    if "Sub" in dividend and "ReduceMin" in dividend and {"ReduceMax", "ReduceMin"} <= divisor:
        return made_by(node, 0, 1, "probabilities").changed(
            origin="a min-max normalisation in the graph"
        )
    return None


@rule("Div", first=True)
def _softmax(node: Node, facts: Facts) -> Fact | None:
    """``exp(x) / sum(exp(x))``."""
    dividend, divisor = node.inputs[0], node.inputs[1]
    total = None if divisor is None else divisor.producer
    if dividend is None or dividend.producer is None or dividend.producer.op != "Exp":
        return None
    if total is None or total.op != "ReduceSum" or total.inputs[0] is not dividend:
        return None
    rank, axes, shape = rank_of(dividend), facts.numbers(total.input(1)), shape_of(dividend)
    if rank is None or axes is None or len(axes) != 1:
        return None
    axis = axes[0] % rank
    classes = () if shape is None else tuple(range(shape[axis]))
    fact = made_by(node, 0, 1, "classes", axis=axis, classes=classes)
    return fact.changed(origin="exponentials over their sum")


def _operators(value: Value | None) -> set[str]:
    """The operators that ``value`` is made by, a few steps back."""
    return set(_walk(value, NEAR))


def _walk(value: Value | None, left: int) -> Iterator[str]:
    node = None if value is None else value.producer
    if node is None or left == 0:
        return
    yield node.op
    for source in node.inputs:
        yield from _walk(source, left - 1)
