"""Element-wise operators of several inputs, casts and clipping."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from pyhades.ir.graph import Node
from pyhades.ir.ops.elementwise import Elementwise
from pyhades.ir.registry import Array, Operator, attribute, ir_op, register
from pyhades.ir.shapes import Shape, agree, fail, shape_of
from pyhades.ir.signature import DType


def divide(a: Array, b: Array) -> Array:
    """Quotient; integers are truncated towards zero, exactly (no detour through floats)."""
    if a.dtype.kind == "f":
        return np.asarray(a / b)
    quotient = a // b
    return np.asarray(quotient + ((quotient < 0) & (quotient * b != a)).astype(a.dtype))


def modulo(a: Array, b: Array, fmod: int) -> Array:
    """Remainder with the sign of the divisor, or of the dividend (``fmod``)."""
    return np.fmod(a, b) if fmod else np.mod(a, b)


def power(a: Array, b: Array) -> Array:
    """a**b in the dtype of a, exact for integers; negative integer powers go through float64."""
    if a.dtype.kind == "f":
        return np.asarray(np.power(a, b.astype(a.dtype)))
    if b.dtype.kind != "f" and (b >= 0).all():
        return np.asarray(np.power(a, b.astype(a.dtype)))
    return np.power(a.astype(np.float64), b).astype(a.dtype)


def shift(a: Array, b: Array, direction: str) -> Array:
    """Bit shift; an amount outside [0, bits) shifts everything out."""
    bits = a.dtype.itemsize * 8
    outside = (b < 0) | (b >= bits)
    amount = np.where(outside, 0, b).astype(a.dtype)
    if direction == "LEFT":
        return np.where(outside, 0, np.left_shift(a, amount))
    return np.where(outside, np.where(a < 0, -1, 0), np.right_shift(a, amount))


def _fold(function: Any) -> Any:
    return lambda *arrays: reduce(function, arrays)


def _mean(*arrays: Array) -> Array:
    return reduce(np.add, arrays) / len(arrays)


def _prelu(x: Array, slope: Array) -> Array:
    return np.where(x < 0, x * slope, x)


def _compare(name: str, function: Any, kind: str = "N") -> Elementwise:
    return Elementwise(name, f"{kind}, {kind} -> bool", function)


def _bitwise(name: str, function: Any) -> Elementwise:
    return Elementwise(name, "Z, Z -> Z", function)


def _logical(name: str, function: Any) -> Elementwise:
    return Elementwise(name, "bool, bool -> bool", function)


register(
    Elementwise("Add", "N, N -> N", np.add),
    Elementwise("Sub", "N, N -> N", np.subtract),
    Elementwise("Mul", "N, N -> N", np.multiply),
    Elementwise("Div", "N, N -> N", divide),
    Elementwise("Mod", "N, N -> N", modulo, fmod=0),
    Elementwise("Pow", "N, N1 -> N", power, 20),
    Elementwise("Min", "N... -> N", _fold(np.minimum)),
    Elementwise("Max", "N... -> N", _fold(np.maximum)),
    Elementwise("Sum", "N... -> N", _fold(np.add)),
    Elementwise("Mean", "F... -> F", _mean),
    _compare("Equal", np.equal, "T"),
    _compare("Less", np.less),
    _compare("Greater", np.greater),
    _compare("LessOrEqual", np.less_equal),
    _compare("GreaterOrEqual", np.greater_equal),
    _logical("And", np.logical_and),
    _logical("Or", np.logical_or),
    _logical("Xor", np.logical_xor),
    _bitwise("BitwiseAnd", np.bitwise_and),
    _bitwise("BitwiseOr", np.bitwise_or),
    _bitwise("BitwiseXor", np.bitwise_xor),
    Elementwise("BitShift", "Z, Z -> Z", shift, direction="LEFT"),
)


@ir_op("PRelu", "N, N -> N")
class PRelu(Elementwise):
    """Leaky ReLU with a slope tensor that broadcasts one way, to the shape of x."""

    def __init__(self, name: str, signature: str) -> None:
        super().__init__(name, signature, _prelu, 2)

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        result = super().shapes(node)[0]
        if len(result) != len(x):
            fail(node, "the slope does not broadcast to x")
        return [
            tuple(
                agree(node, a, b, "extents of slope and x") for a, b in zip(x, result, strict=True)
            )
        ]


@ir_op("Clip", "N, N?, N? -> N")
class Clip(Elementwise):
    """Limit x to [minimum, maximum], which are scalars; either bound may be omitted."""

    def __init__(self, name: str, signature: str) -> None:
        super().__init__(name, signature, self._clip, 2)

    @staticmethod
    def _clip(x: Array, minimum: Array | None = None, maximum: Array | None = None) -> Array:
        if minimum is not None:
            x = np.maximum(x, minimum)
        return x if maximum is None else np.minimum(x, maximum)

    def shapes(self, node: Node) -> list[Shape]:
        return [shape_of(node, 0)]


@ir_op("Where", "bool, T, T -> T")
class Where(Elementwise):
    """x where the condition holds, else y."""

    def __init__(self, name: str, signature: str) -> None:
        super().__init__(name, signature, np.where)

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [np.where(*inputs)]


def cast(x: Array, dtype: DType) -> Array:
    """Convert; bool is "not zero", floats to integers are truncated towards zero."""
    with np.errstate(all="ignore"):
        return np.asarray(x != 0) if dtype == np.bool_ else x.astype(dtype)


@ir_op("Cast", "T -> *", to=None, saturate=1, round_mode="up")
class Cast(Operator):
    """Convert to the NumPy dtype ``to``."""

    def dtypes(self, node: Node) -> list[DType]:
        return [np.dtype(attribute(node, "to"))]

    def shapes(self, node: Node) -> list[Shape]:
        return [shape_of(node, 0)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [cast(inputs[0], np.dtype(attribute(node, "to")))]


@ir_op("CastLike", "T, T1 -> T1", saturate=1, round_mode="up")
class CastLike(Operator):
    """Convert to the dtype of the second input."""

    def shapes(self, node: Node) -> list[Shape]:
        return [shape_of(node, 0)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [cast(inputs[0], inputs[1].dtype)]
