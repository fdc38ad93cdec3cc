"""Unary element-wise operators: activations, elementary functions, predicates."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyhades.ir.graph import Node
from pyhades.ir.ops.elementwise import FromTable
from pyhades.ir.registry import Array, ir_op, register
from pyhades.numerics.functions import FUNCTIONS

_SPECIAL = ("Clip", "IsInf")
"""Operators that take other inputs, or none of the functions."""

register(
    *(
        FromTable(name)
        for name in dict.fromkeys(row.onnx for row in FUNCTIONS.values() if row.arrays == 1)
        if name and name not in _SPECIAL
    )
)


@ir_op("IsInf", "F -> bool")
class IsInf(FromTable):
    """Whether x is an infinity of a sign that counts; none may."""

    def compute(self, node: Node, *inputs: Array | None, **attributes: Any) -> Array:
        x = inputs[0]
        if x is not None and not any(attributes.values()):
            return np.zeros(x.shape, np.bool_)
        return super().compute(node, x, **{name: int(bool(v)) for name, v in attributes.items()})
