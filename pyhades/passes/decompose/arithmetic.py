"""Arithmetic: chains of two operands, operands of one dtype, matrix products."""

from __future__ import annotations

import numpy as np

from pyhades.ir.graph import Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.passes.decompose.rule import Builder, dtype_of, rule, source


@rule("Sum", "Mean", "Min", "Max")
def _variadic(build: Builder, node: Node) -> None:
    """Two operands at a time."""
    op = {"Sum": "Add", "Mean": "Add"}.get(node.op, node.op)
    values = [value for value in node.inputs if value is not None]
    last = node.op in ("Mean",)
    if len(values) == 1:
        build.rewrite.substitute(node.outputs[0], values[0])
        return
    if len(values) == 2 and op == node.op:
        return
    total = values[0]
    for index, value in enumerate(values[1:-1] if not last else values[1:]):
        total = build.apply(op, total, value, suffix=f"term{index}")
    if not last:
        build.become(op, total, values[-1])
        return
    kind = node.outputs[0].type
    assert kind is not None
    factor = constant(f"{build.name}.factor", np.asarray(1 / len(values), kind.dtype))
    build.become("Mul", total, factor)


def _scaled(build: Builder, x: Value, factor: float, suffix: str) -> Value:
    return x if factor == 1 else build.apply("Mul", x, build.number(factor, x), suffix=suffix)


@rule("Gemm")
def _gemm(build: Builder, node: Node) -> None:
    """Alpha * a @ b + beta * c; in float32 fused, the last as a bias if it is one row."""
    a, b, c = source(node), source(node, 1), node.input(2)
    a = build.transpose(a, (1, 0)) if attribute(node, "transA") else a
    b = build.transpose(b, (1, 0)) if attribute(node, "transB") else b
    alpha, columns = float(attribute(node, "alpha")), shape(b)[1]
    c = None if c is None else _scaled(build, c, attribute(node, "beta"), "beta")
    if dtype_of(a) != np.float32:
        product = build.apply("MatMul", a, b, suffix="product")
        scaled = _scaled(build, product, alpha, "alpha")
        build.become("Identity", scaled) if c is None else build.become("Add", scaled, c)
    elif c is None or shape(c) in ((columns,), (1, columns)):
        bias = None if c is None else build.reshape(c, (columns,))
        build.become("FusedMatMul", a, b, bias, alpha=alpha)
    else:
        product = build.apply("FusedMatMul", a, b, suffix="product", alpha=alpha)
        build.become("Add", product, c)


@rule("MatMul")
def _vector_product(build: Builder, node: Node) -> None:
    """A vector is a matrix of one row (left) or one column (right)."""
    a, b = source(node), source(node, 1)
    if len(shape(a)) > 1 and len(shape(b)) > 1:
        return
    a = build.reshape(a, (1, *shape(a)), "row") if len(shape(a)) == 1 else a
    b = build.reshape(b, (*shape(b), 1), "column") if len(shape(b)) == 1 else b
    build.become_reshape(build.apply("MatMul", a, b, suffix="product"))


@rule("Clip")
def _clip(build: Builder, node: Node) -> None:
    """Max and Min where a bound is no number, or the dtype has no pointwise programs."""
    x, low, high = source(node), node.input(1), node.input(2)
    if low is None and high is None:
        build.rewrite.substitute(node.outputs[0], x)
        return
    constant_bounds = all(bound is None or bound.data is not None for bound in (low, high))
    if dtype_of(x) == np.float32 and constant_bounds:
        return
    low = None if low is None else build.reshape(low, (), "low")
    high = None if high is None else build.reshape(high, (), "high")
    if low is not None and high is not None:
        x = build.apply("Max", x, low, suffix="bounded")
    build.become("Max" if high is None else "Min", x, low if high is None else high)


@rule("PRelu", "LeakyRelu")
def _leaky(build: Builder, node: Node) -> None:
    """A comparison and a choice for dtypes that have no pointwise programs."""
    x = source(node)
    if dtype_of(x) == np.float32:
        return
    if node.op == "PRelu":
        slope = source(node, 1)
    else:
        slope = constant(f"{build.name}.slope", np.asarray(attribute(node, "alpha"), dtype_of(x)))
    zero = constant(f"{build.name}.zero", np.zeros((), dtype_of(x)))
    scaled = build.apply("Mul", x, slope, suffix="scaled")
    negative = build.apply("Less", x, zero, suffix="negative")
    build.become("Where", negative, scaled, x)


@rule("Pow")
def _pow(build: Builder, node: Node) -> None:
    """Operands of one dtype; a fractional power of integers is taken in float64."""
    a, b = source(node), source(node, 1)
    if dtype_of(a) == dtype_of(b):
        return
    exact = dtype_of(a).kind == "f" or dtype_of(b).kind != "f"
    wide = dtype_of(a) if exact else np.dtype(np.float64)
    a, b = (
        value if dtype_of(value) == wide else build.apply("Cast", value, suffix=f"wide{i}", to=wide)
        for i, value in enumerate((a, b))
    )
    if exact:
        build.become("Pow", a, b)
    else:
        power = build.apply("Pow", a, b, suffix="power")
        build.become("Cast", power, to=dtype_of(node.outputs[0]))
