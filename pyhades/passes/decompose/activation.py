"""Activations in float64, by elementary functions (float32 has them in pointwise programs)."""

from __future__ import annotations

from pyhades.ir.graph import Node, Value
from pyhades.ir.registry import attribute
from pyhades.passes.decompose.rule import Builder, is_float64, rule, source


def _expm1_of_negative(build: Builder, x: Value, divisor: float = 1.0) -> Value:
    """exp(min(x, 0) / divisor) - 1, by tanh, which does not cancel near zero."""
    low = build.apply("Min", x, build.number(0, x), suffix="negative")
    half = build.apply("Mul", low, build.number(0.5 / divisor, x), suffix="half")
    t = build.apply("Tanh", half)
    doubled = build.apply("Mul", t, build.number(2, x), suffix="doubled")
    return build.apply("Div", doubled, build.apply("Sub", build.number(1, x), t), suffix="expm1")


def _elu(build: Builder, x: Value, alpha: float) -> tuple[Value, Value, Value]:
    """Condition and branches of x > 0 ? x : alpha * expm1(x)."""
    positive = build.apply("Greater", x, build.number(0, x), suffix="positive")
    curve = build.apply("Mul", _expm1_of_negative(build, x), build.number(alpha, x), suffix="curve")
    return positive, x, curve


@rule("Elu", when=is_float64)
def _expand_elu(build: Builder, node: Node) -> None:
    build.become("Where", *_elu(build, source(node), attribute(node, "alpha")))


@rule("Selu", when=is_float64)
def _expand_selu(build: Builder, node: Node) -> None:
    x = source(node)
    y = build.apply("Where", *_elu(build, x, attribute(node, "alpha")), suffix="elu")
    build.become("Mul", y, build.number(attribute(node, "gamma"), x))


@rule("Celu", when=is_float64)
def _expand_celu(build: Builder, node: Node) -> None:
    x, alpha = source(node), attribute(node, "alpha")
    zero = build.number(0, x)
    curve = build.apply("Mul", _expm1_of_negative(build, x, alpha), build.number(alpha, x))
    below = build.apply("Min", curve, zero, suffix="below")
    build.become("Add", build.apply("Max", x, zero, suffix="above"), below)


@rule("ThresholdedRelu", when=is_float64)
def _expand_thresholded_relu(build: Builder, node: Node) -> None:
    x = source(node)
    above = build.apply("Greater", x, build.number(attribute(node, "alpha"), x), suffix="above")
    build.become("Where", above, x, build.number(0, x))


@rule("Swish", when=is_float64)
def _expand_swish(build: Builder, node: Node) -> None:
    x = source(node)
    scaled = build.apply("Mul", x, build.number(attribute(node, "alpha"), x), suffix="scaled")
    build.become("Mul", x, build.apply("Sigmoid", scaled))


@rule("HardSigmoid", when=is_float64)
def _expand_hard_sigmoid(build: Builder, node: Node) -> None:
    x = source(node)
    scaled = build.apply("Mul", x, build.number(attribute(node, "alpha"), x), suffix="scaled")
    line = build.apply("Add", scaled, build.number(attribute(node, "beta"), x), suffix="line")
    above = build.apply("Max", line, build.number(0, x), suffix="above")
    build.become("Min", above, build.number(1, x))
