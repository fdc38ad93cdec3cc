"""Products of integers whose sums are wanted as floats become products of floats.

The sums of ``ConvInteger`` and ``MatMulInteger`` are int32, and those who quantise at run time
write a Cast after them and multiply by the scales of both operands. The operands of the product
become floats that hold the integers: sums of integers are exact in float32 up to 2^24, in any
order, and a larger one is rounded about as the Cast rounds it. The scales stay where they are.
"""

from __future__ import annotations

import numpy as np

from pyhades.ir.graph import Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.shapes import shape
from pyhades.passes.decompose.rule import Builder, dtype_of

_FLOAT_OPERATORS = {"ConvInteger": "Conv", "MatMulInteger": "MatMul"}
_FLOAT32 = np.dtype(np.float32)


def multiply_floats(build: Builder, node: Node) -> None:
    """A conversion of a sum to float32."""
    product = build.rewrite.producer(node.inputs[0], *_FLOAT_OPERATORS)
    if product is None or dtype_of(node.outputs[0]) != _FLOAT32:
        return
    inputs = [*build.rewrite.inputs(product), None, None][:4]
    one = constant(f"{build.name}.one", np.ones((), np.float32))
    operands = []
    for index in (0, 1):
        q, zero = inputs[index], inputs[index + 2]
        assert q is not None
        grid = {"axis": _axis(product, q, index), "storage": dtype_of(q).name}
        operand = build.apply("DequantizeLinear", q, one, zero, suffix=f"operand{index}", **grid)
        operands.append(operand)
    build.become(_FLOAT_OPERATORS[product.op], *operands, **product.attributes)


def _axis(product: Node, q: Value, index: int) -> int:
    """The axis that a vector of zero points of an operand goes along."""
    if product.op == "ConvInteger":
        return 1 - index
    rank = len(shape(q))
    return max(rank - 2, 0) if index == 0 else rank - 1
