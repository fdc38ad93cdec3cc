"""Interval arithmetic: what sums, products and functions do to bounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhades.ir.graph import Node
from pyhades.segmentation.meaning.facts import UNKNOWN, WHOLE, Fact, Kind
from pyhades.segmentation.meaning.rules.table import rule

if TYPE_CHECKING:
    from pyhades.segmentation.meaning.facts import Facts

Interval = tuple[float, float]


@rule("Add", "Sub", "Mul", "Div")
def _binary(node: Node, facts: Facts) -> Fact:
    left, right = (facts.of(value) for value in node.inputs[:2])
    low, high = _COMBINE[node.op]((left.low, left.high), (right.low, right.high))
    source = right if left is UNKNOWN or not left.origin else left
    constant = node.inputs[1] if source is left else node.inputs[0]
    if facts.number(constant) is None:
        return _bounded(source, node, low, high)
    return _affine(node, source, low, high, flips=node.op == "Sub" and source is right)


@rule("Neg")
def _negative(node: Node, facts: Facts) -> Fact:
    fact = facts.of(node.inputs[0])
    return _affine(node, fact, -fact.high, -fact.low, flips=True)


@rule("Sum", "Mean", "Min", "Max")
def _several(node: Node, facts: Facts) -> Fact:
    found = [facts.of(value) for value in node.inputs]
    lows, highs = [f.low for f in found], [f.high for f in found]
    source = next((f for f in found if f.origin), found[0])
    if node.op == "Sum":
        return _bounded(source, node, sum(lows), sum(highs))
    if node.op == "Mean":
        return _bounded(source, node, sum(lows) / len(lows), sum(highs) / len(highs))
    choose = min if node.op == "Min" else max
    return _bounded(source, node, choose(lows), choose(highs))


@rule("Clip")
def _clip(node: Node, facts: Facts) -> Fact:
    fact = facts.of(node.inputs[0])
    least, most = facts.number(node.input(1)), facts.number(node.input(2))
    low = max(fact.low, -math.inf if least is None else least)
    high = min(fact.high, math.inf if most is None else most)
    if (low, high) == (fact.low, fact.high):
        return fact.through(node)
    return _bounded(fact, node, low, high)


@rule("Where")
def _where(node: Node, facts: Facts) -> Fact:
    """A choice between constants is a decision; else both may happen."""
    chosen, other = (facts.of(value) for value in node.inputs[1:3])
    if facts.number(node.inputs[1]) is not None and facts.number(node.inputs[2]) is not None:
        decision = facts.of(node.inputs[0])
        flips = chosen.low < other.low
        low, high = sorted((chosen.low, other.low))
        return decision.through(
            node, low=low, high=high, is_inverted=decision.is_inverted is not flips
        )
    source = chosen if chosen.origin else other
    return _bounded(source, node, min(chosen.low, other.low), max(chosen.high, other.high))


def _affine(node: Node, fact: Fact, low: float, high: float, *, flips: bool) -> Fact:
    """Behind a product or sum with one number: what is said stays, at another scale."""
    if fact.kind == "scores":
        return _bounded(fact, node, low, high)
    if fact.kind == "labels" and (low, high) != (fact.low, fact.high):
        if fact.classes != (0, 1):
            return Fact(low, high)
        fact = fact.changed(kind="decisions", classes=(1,))
    return fact.through(node, low=low, high=high, is_inverted=fact.is_inverted is not flips)


def _bounded(source: Fact, node: Node, low: float, high: float) -> Fact:
    """A fact of bounds alone; new ones begin here."""
    if not math.isfinite(low) and not math.isfinite(high):
        return UNKNOWN
    kind: Kind = "scores"
    if source.kind == "probabilities" and low >= 0 and math.isfinite(high):
        kind = "probabilities"
    if source.origin and source.is_bounded:
        return source.through(node, low=low, high=high, kind=kind, axis=None, classes=())
    name = f" {node.name!r}" if node.name else ""
    kind = "probabilities" if (low, high) == (0, 1) else kind
    return Fact(low, high, kind, origin=f"{node.op}{name}")


def _product(a: float, b: float) -> float:
    """Zero times infinity is zero here: a bound that is zero stays one."""
    return 0.0 if a == 0 or b == 0 else a * b


def _multiply(left: Interval, right: Interval) -> Interval:
    products = [_product(a, b) for a in left for b in right]
    return min(products), max(products)


def _divide(left: Interval, right: Interval) -> Interval:
    if right[0] <= 0 <= right[1]:
        return (0.0, math.inf) if left[0] >= 0 and right[0] >= 0 else WHOLE
    return _multiply(left, (1 / right[1], 1 / right[0]))


_COMBINE: dict[str, Callable[[Interval, Interval], Interval]] = {
    "Add": lambda left, right: (left[0] + right[0], left[1] + right[1]),
    "Sub": lambda left, right: (left[0] - right[1], left[1] - right[0]),
    "Mul": _multiply,
    "Div": _divide,
}


def _exponential(number: float) -> float:
    return math.exp(number) if number < 700 else math.inf


_RISING: dict[str, Callable[[float], float]] = {
    "Exp": _exponential,
    "Sqrt": lambda number: math.sqrt(max(number, 0.0)),
    "Relu": lambda number: max(number, 0.0),
    "Softplus": lambda number: number if number > 700 else math.log1p(_exponential(number)),
    "Floor": lambda number: number if math.isinf(number) else math.floor(number),
    "Ceil": lambda number: number if math.isinf(number) else math.ceil(number),
    "Round": lambda number: number if math.isinf(number) else float(round(number)),
}


@rule(*_RISING)
def _rising(node: Node, facts: Facts) -> Fact:
    fact = facts.of(node.inputs[0])
    function = _RISING[node.op]
    low, high = function(fact.low), function(fact.high)
    if (low, high) == (fact.low, fact.high) and node.op == "Relu":
        return fact.through(node)
    return _bounded(fact, node, low, high)


@rule("Reciprocal")
def _reciprocal(node: Node, facts: Facts) -> Fact:
    fact = facts.of(node.inputs[0])
    return _bounded(fact, node, *_divide((1.0, 1.0), (fact.low, fact.high)))


@rule("Abs")
def _absolute(node: Node, facts: Facts) -> Fact:
    fact = facts.of(node.inputs[0])
    least = 0.0 if fact.low <= 0 <= fact.high else min(abs(fact.low), abs(fact.high))
    return _bounded(fact, node, least, max(abs(fact.low), abs(fact.high)))


@rule("Pow")
def _power(node: Node, facts: Facts) -> Fact | None:
    fact, exponent = facts.of(node.inputs[0]), facts.number(node.inputs[1])
    if exponent is None or exponent <= 0 or fact.low < 0:
        return Fact(0, math.inf) if exponent == 2 else None
    return _bounded(fact, node, fact.low**exponent, fact.high**exponent)
