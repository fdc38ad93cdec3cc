"""Integers of grids, and sums of their products, where the integers themselves are wanted."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyhades.ir.graph import Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.ops.quantization import axis_of
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.passes.decompose.on_grid import FLOAT32, Parameters
from pyhades.passes.decompose.rule import Builder, dtype_of, rule, source

EXACT = 1 << 24
"""Sums of integers up to here are exact in float32, in any order."""


def _is_computed(node: Node) -> bool:
    """What is constant is left to the folding of constants, which keeps the grid."""
    return any(value is not None and value.data is None for value in node.inputs)


def _byte_grid(node: Node) -> dict[str, Any] | None:
    """Scale and zero point of bytes that stand for float32; None where the grid is another."""
    floats = node.outputs[0] if node.op == "DequantizeLinear" else source(node)
    integers = source(node) if node.op == "DequantizeLinear" else node.outputs[0]
    scale, zero = source(node, 1).data, node.input(2)
    if dtype_of(floats) != FLOAT32 or dtype_of(integers) != np.uint8:
        return None
    if attribute(node, "storage") != "uint8" or axis_of(node) is not None or scale is None:
        return None
    if zero is not None and zero.data is None:
        return None
    point = 0 if zero is None or zero.data is None else int(zero.data.reshape(()))
    return {"scale": float(scale.reshape(())), "zero": point}


def _are_bytes(node: Node) -> bool:
    return _is_computed(node) and _byte_grid(node) is not None


@rule("QuantizeLinear", "DequantizeLinear", when=_are_bytes, first=True)
def _bytes(build: Builder, node: Node) -> None:
    op = "QuantizeU8" if node.op == "QuantizeLinear" else "DequantizeU8"
    build.become(op, source(node), **(_byte_grid(node) or {}))


@rule("QuantizeLinear", when=_is_computed)
def _quantize(build: Builder, node: Node) -> None:
    parameters = Parameters(build, node)
    q = parameters.steps(build.cast(source(node), FLOAT32, "float"))
    if parameters.zero is not None:
        q = build.apply("Add", q, parameters.zero, suffix="shifted")
    low, high = (build.number(end, q) for end in parameters.limits)
    limited = build.apply("Clip", q, low, high, suffix="limited")
    build.become("Cast", limited, to=dtype_of(node.outputs[0]))


@rule("DequantizeLinear", when=_is_computed)
def _dequantize(build: Builder, node: Node) -> None:
    parameters = Parameters(build, node)
    x, to = build.cast(source(node), FLOAT32, "float"), dtype_of(node.outputs[0])
    if parameters.zero is not None:
        x = build.apply("Sub", x, parameters.zero, suffix="centred")
    parameters.scaled(x, to)


def _centred(build: Builder, node: Node, index: int, axis: int) -> Value:
    """An operand minus its zero point, as float32: points of a grid with steps of 1."""
    q = source(node, index)
    one = constant(f"{build.name}.one{index}", np.ones((), np.float32))
    grid = {"axis": axis, "storage": dtype_of(q).name}
    zero = node.input(index + 2)
    return build.apply("DequantizeLinear", q, one, zero, suffix=f"centred{index}", **grid)


def _span(value: Value) -> int:
    """The largest magnitude of an operand minus its zero point."""
    info = np.iinfo(dtype_of(value))
    return int(info.max) - int(info.min)


def _parts(node: Node, length: int, window: int, axis: int) -> list[tuple[int, int]]:
    """Pieces of the axis that is summed over, short enough for exact sums in float32.

    ``axis`` is that of the second operand which tells one sum from another: constants say how large
    their sums can become.
    """
    span = _span(source(node))
    weight, zero = source(node, 1).data, node.input(3)
    if weight is not None and (zero is None or zero.data is not None):
        others = tuple(i for i in range(weight.ndim) if i != axis)
        point = 0 if zero is None or zero.data is None else int(np.abs(zero.data).max())
        total = np.abs(weight.astype(np.int64)).sum(others) + point * (length * window)
        if int(total.max(initial=0)) * span <= EXACT:
            return [(0, length)]
    step = max(EXACT // max(window * span * _span(source(node, 1)), 1), 1)
    return [(start, min(start + step, length)) for start in range(0, length, step)]


@rule("MatMulInteger")
def _matmul_integer(build: Builder, node: Node) -> None:
    """Products of pieces in float32, added up as int32."""
    a = _centred(build, node, 0, max(len(shape(source(node))) - 2, 0))
    b = _centred(build, node, 1, len(shape(source(node, 1))) - 1)
    inner = len(shape(a)) - 1
    along = max(len(shape(b)) - 2, 0)
    sums = []
    for start, stop in _parts(node, shape(a)[inner], 1, len(shape(b)) - 1):
        left = build.slice(a, inner, start, stop, f"left{start}")
        right = build.slice(b, along, start, stop, f"right{start}")
        sums.append(build.apply("MatMul", left, right, suffix=f"sum{start}"))
    _add_up(build, sums)


@rule("ConvInteger")
def _conv_integer(build: Builder, node: Node) -> None:
    """Convolutions of some input channels each in float32, added up as int32."""
    x, w = _centred(build, node, 0, 1), _centred(build, node, 1, 0)
    groups, channels = attribute(node, "group"), shape(w)[1]
    window = int(np.prod(shape(w)[2:]))
    parts = _parts(node, channels, window, 0)
    sums = []
    for start, stop in parts:
        seen, weight = x, w
        if len(parts) > 1:
            seen = _channels(build, x, groups, start, stop)
            weight = build.slice(w, 1, start, stop, f"weight{start}")
        sums.append(build.apply("Conv", seen, weight, suffix=f"sum{start}", **node.attributes))
    _add_up(build, sums)


def _channels(build: Builder, x: Value, groups: int, start: int, stop: int) -> Value:
    """Channels ``start`` to ``stop`` of every group."""
    n, c, *spatial = shape(x)
    apart = build.reshape(x, (n, groups, c // groups, *spatial), f"groups{start}")
    some = build.slice(apart, 2, start, stop, f"channels{start}")
    return build.reshape(some, (n, groups * (stop - start), *spatial), f"seen{start}")


def _add_up(build: Builder, sums: list[Value]) -> None:
    whole = [build.cast(s, np.int32, f"whole{i}") for i, s in enumerate(sums[:-1])]
    last = sums[-1]
    if not whole:
        build.become("Cast", last, to=np.dtype(np.int32))
        return
    total = whole[0]
    for index, term in enumerate(whole[1:]):
        total = build.apply("Add", total, term, suffix=f"total{index}")
    build.become("Add", total, build.cast(last, np.int32, "whole"))
