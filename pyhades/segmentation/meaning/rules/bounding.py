"""Operators whose results are bounded, whatever they are fed: here an activation is found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pyhades.ir.graph import Node
from pyhades.ir.registry import attribute
from pyhades.segmentation.meaning.facts import Fact, made_by, rank_of, shape_of
from pyhades.segmentation.meaning.rules.table import rule

if TYPE_CHECKING:
    from pyhades.segmentation.meaning.facts import Facts


@rule("Sigmoid", "HardSigmoid")
def _probability(node: Node, facts: Facts) -> Fact:
    return made_by(node, 0, 1, "probabilities")


@rule("Tanh", "Softsign", "Sin", "Cos", "Erf", "Sign")
def _symmetric(node: Node, facts: Facts) -> Fact:
    return made_by(node, -1, 1, "scores")


@rule("Softmax")
def _softmax(node: Node, facts: Facts) -> Fact:
    return made_by(node, 0, 1, "classes", **_classes(node))


@rule("LogSoftmax")
def _log_softmax(node: Node, facts: Facts) -> Fact:
    return Fact(-math.inf, 0)


@rule("ArgMax")
def _labels(node: Node, facts: Facts) -> Fact:
    found = _classes(node)
    classes = found["classes"]
    high = float(len(classes) - 1) if classes else math.inf
    return made_by(node, 0, high, "labels", classes=classes)


@rule("TopK")
def _best(node: Node, facts: Facts) -> list[Fact]:
    classes = _classes(node)["classes"]
    best = attribute(node, "largest") and facts.number(node.input(1)) == 1
    if not best or not classes:
        return [facts.of(node.inputs[0])]
    labels = made_by(node, 0, len(classes) - 1, "labels", classes=classes)
    return [facts.of(node.inputs[0]).through(node, axis=None, kind="scores"), labels]


@rule("Equal")
def _equal(node: Node, facts: Facts) -> Fact:
    """Labels that are, or are not, of one class."""
    labels, number = facts.of(node.inputs[0]), facts.number(node.inputs[1])
    if labels.kind == "labels" and number is not None:
        return made_by(node, 0, 1, "decisions", classes=(int(number),))
    return made_by(node, 0, 1, "decisions")


@rule("Greater", "GreaterOrEqual", "Less", "LessOrEqual")
def _compare(node: Node, facts: Facts) -> Fact:
    """A probability against a threshold, or labels against the first that is no background."""
    fact, number = facts.of(node.inputs[0]), facts.number(node.inputs[1])
    is_less = node.op.startswith("Less")
    if number is not None and fact.kind == "probabilities":
        return fact.through(
            node, low=0, high=1, kind="decisions", is_inverted=fact.is_inverted is not is_less
        )
    first = number if node.op in ("GreaterOrEqual", "Less") else (number or 0) + 0.5
    if number is not None and fact.kind == "labels" and first is not None and 0 < first <= 1:
        return made_by(node, 0, 1, "decisions", classes=(0,), is_inverted=not is_less)
    return made_by(node, 0, 1, "decisions")


@rule("And", "Or", "Xor", "IsNaN", "IsInf")
def _decision(node: Node, facts: Facts) -> Fact:
    return made_by(node, 0, 1, "decisions")


@rule("Not")
def _opposite(node: Node, facts: Facts) -> Fact:
    fact = facts.of(node.inputs[0])
    return fact.through(node, is_inverted=not fact.is_inverted)


def _classes(node: Node) -> dict[str, Any]:
    """The axis that classes lie on and their numbers, as fields of a fact."""
    axis, rank = attribute(node, "axis"), rank_of(node.inputs[0])
    if rank is None:
        return {"axis": None, "classes": ()}
    axis %= rank
    shape = shape_of(node.inputs[0])
    return {"axis": axis, "classes": () if shape is None else tuple(range(shape[axis]))}
