"""Operators that work element by element, with broadcasting; most are rows of the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pyhades.ir.graph import Node
from pyhades.ir.registry import Array, Operator, attribute, operator
from pyhades.ir.shapes import Shape, broadcast, fail, shape_of
from pyhades.numerics.functions import ElementFunction, choose, functions_of


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
            result = self.compute(node, *wide, **arguments)
        return [np.asarray(result).astype(dtype, copy=False)]

    def compute(self, node: Node, *inputs: Array | None, **attributes: Any) -> Array:
        """The result before it is converted to the output dtype."""
        return np.asarray(self.function(*inputs, **attributes))


class FromTable(Elementwise):
    """An operator that computes a function of :mod:`pyhades.numerics.functions`.

    Where there are several, attributes choose. The signature follows from the table unless given.
    """

    def __init__(self, name: str, signature: str = "") -> None:
        rows = functions_of(name)
        kind, result = rows[0].dtypes, "bool" if rows[0].is_predicate else rows[0].dtypes
        if not signature:
            signature = f"{', '.join([kind] * rows[0].arrays)} -> {result}"
        defaults = {key: value for row in reversed(rows) for key, value in row.where.items()}
        defaults |= {p.name: p.default for row in rows for p in row.parameters}
        super().__init__(name, signature, rows[0].function, rows[0].flops, **defaults)

    def compute(self, node: Node, *inputs: Array | None, **attributes: Any) -> Array:
        row = choose(self.name, attributes.get)
        if row is None:
            stated = ", ".join(f"{key} {value!r}" for key, value in attributes.items())
            fail(node, f"{stated} is not known")
        numbers = (attributes[p.name] for p in row.parameters)
        return np.asarray(row.function(*inputs, *numbers))


def element_function(node: Node) -> ElementFunction | None:
    """What ``node`` computes of one element of each input; None where the table does not say.

    Examples
    --------
    >>> from pyhades.ir.graph import Node
    >>> element_function(Node("Gelu", [], [], {"approximate": "tanh"})).name
    'gelu_tanh'
    """
    known = functions_of(node.op)
    return choose(node.op, lambda name: attribute(node, name)) if known else None


def attribute_parameters(node: Node, row: ElementFunction) -> list[float]:
    """The parameters of the function ``row`` that are attributes of ``node``, not inputs."""
    defaults = operator(node.op).defaults
    return [float(attribute(node, p.name)) for p in row.parameters if p.name in defaults]
