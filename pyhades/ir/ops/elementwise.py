"""Base class of the operators that work element by element, with broadcasting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pyhades.ir.graph import Node
from pyhades.ir.registry import Array, Operator
from pyhades.ir.shapes import Shape, broadcast, shape_of


def widened(x: Array) -> Array:
    """``x`` in the precision that references compute in: float16 becomes float32."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


class Elementwise(Operator):
    """An operator whose output has the broadcast shape of its inputs.

    ``function`` takes the input arrays and, as keywords, the attributes with defaults filled in.
    It sees float16 as float32; its result is converted to the output dtype.
    """

    def __init__(
        self,
        name: str,
        signature: str,
        function: Callable[..., Any],
        flops: int = 1,
        **defaults: Any,
    ) -> None:
        super().__init__(name, signature, **defaults)
        self.function = function
        self.flops_per_element = flops

    def shapes(self, node: Node) -> list[Shape]:
        present = (index for index, value in enumerate(node.inputs) if value is not None)
        return [broadcast(node, *(shape_of(node, index) for index in present))]

    def reference(self, node: Node, *inputs: Array | None) -> list[Array]:
        arguments = {name: node.attributes.get(name, d) for name, d in self.defaults.items()}
        first = next(array for array in inputs if array is not None)
        name = self.signature.outputs[0].dtype
        # The output has the dtype of the first input unless the signature names a NumPy dtype.
        dtype = np.dtype(name) if name[0].islower() else first.dtype
        with np.errstate(all="ignore"):
            wide = [None if array is None else widened(array) for array in inputs]
            result = self.function(*wide, **arguments)
        return [np.asarray(result).astype(dtype, copy=False)]
