"""Element-wise operators of several inputs, casts and clipping."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from pyhades.ir.graph import Node
from pyhades.ir.ops.elementwise import Elementwise, FromTable
from pyhades.ir.registry import Array, Operator, attribute, ir_op, register
from pyhades.ir.shapes import Shape, agree, fail, product, shape_of
from pyhades.ir.signature import DType
from pyhades.numerics.arithmetic import cast
from pyhades.numerics.functions import FUNCTIONS

_SIGNATURES = {"Pow": "N, N1 -> N"}
"""Where the dtypes of both inputs may differ."""


def _fold(function: Any) -> Any:
    return lambda *arrays: reduce(function, arrays)


def _mean(*arrays: Array) -> Array:
    return reduce(np.add, arrays) / len(arrays)


register(
    Elementwise("Min", "N... -> N", _fold(FUNCTIONS["min"].function)),
    Elementwise("Max", "N... -> N", _fold(FUNCTIONS["max"].function)),
    Elementwise("Sum", "N... -> N", _fold(FUNCTIONS["add"].function)),
    Elementwise("Mean", "F... -> F", _mean),
    *(
        FromTable(name, _SIGNATURES.get(name, ""))
        for name in dict.fromkeys(row.onnx for row in FUNCTIONS.values() if row.arrays == 2)
        if name not in ("Min", "Max")
    ),
)


@ir_op("PRelu", "N, N -> N")
class PRelu(Elementwise):
    """Leaky ReLU with a slope tensor that broadcasts one way, to the shape of x."""

    def __init__(self, name: str, signature: str) -> None:
        row = FUNCTIONS["leaky_relu"]
        super().__init__(name, signature, row.function, row.flops)

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
        super().__init__(name, signature, self._clip, FUNCTIONS["clip"].flops)

    @staticmethod
    def _clip(x: Array, minimum: Array | None = None, maximum: Array | None = None) -> Array:
        if minimum is not None:
            x = np.maximum(x, minimum.reshape(()))
        return x if maximum is None else np.minimum(x, maximum.reshape(()))

    def shapes(self, node: Node) -> list[Shape]:
        for index in range(1, len(node.inputs)):
            bound = node.inputs[index]
            if bound is not None and bound.type is not None and bound.type.shape is not None:
                # One element in an axis of its own is what some exporters write for a scalar.
                agree(
                    node, product(bound.type.shape), 1, f"elements of bound {index} and of a scalar"
                )
        return [shape_of(node, 0)]


@ir_op("Where", "bool, T, T -> T")
class Where(Elementwise):
    """x where the condition holds, else y."""

    def __init__(self, name: str, signature: str) -> None:
        super().__init__(name, signature, np.where)

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [np.where(*inputs)]


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
