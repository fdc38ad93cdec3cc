"""The arithmetic of grids, by simpler operators, and what is exact about it.

All of it is done in float32, where integers of up to 24 bits are exact. A quotient is rounded to
even as the standard says, since it is a quotient and no product with an inverse.
"""

from __future__ import annotations

import numpy as np

from pyhades.ir.graph import Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.ops.quantization import axis_of
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.numerics import quantization as grid
from pyhades.passes.decompose.rule import Builder, DType, source

FLOAT32 = np.dtype(np.float32)


class Parameters:
    """Scale and zero point of a node, as float32 values that broadcast to its first input."""

    def __init__(self, build: Builder, node: Node) -> None:
        self.build = build
        self._extents = shape(source(node))
        self._axis = axis_of(node) or 0
        self._block = attribute(node, "block_size")
        self.limits = grid.LIMITS[attribute(node, "storage")]
        self.scale = self._spread(source(node, 1), "scale")
        zero = node.input(2)
        absent = zero is None or (zero.data is not None and not zero.data.any())
        self.is_unit = self.scale.data is not None and bool((self.scale.data == 1).all())
        self.zero = None if absent or zero is None else self._spread(zero, "zero")

    def _spread(self, parameter: Value, name: str) -> Value:
        if parameter.data is not None:
            array = grid.spread(parameter.data, self._extents, self._axis, self._block)
            return constant(f"{self.build.name}.{name}", np.asarray(array, np.float32))
        wide = self.build.cast(parameter, FLOAT32, f"{name}.float")
        extents = shape(parameter)
        if extents in ((), (1,)):
            return self.build.reshape(wide, (), f"{name}.number")
        if self._block:
            return self._repeat(wide, name)
        if len(extents) > 1:
            return wide
        column = [1] * len(self._extents)
        column[self._axis] = extents[0]
        return self.build.reshape(wide, column, f"{name}.column")

    def _repeat(self, blocks: Value, name: str) -> Value:
        """Each element along the axis ``block`` times, the last ones cut off."""
        build, axis, extents = self.build, self._axis, shape(blocks)
        before, after = extents[: axis + 1], extents[axis + 1 :]
        thin = build.reshape(blocks, (*before, 1, *after), f"{name}.thin")
        target = build.integers(f"{name}.blocks", (*before, self._block, *after))
        wide = build.apply("Expand", thin, target, suffix=f"{name}.wide")
        joined = (*extents[:axis], extents[axis] * self._block, *after)
        whole = build.reshape(wide, joined, f"{name}.whole")
        return build.slice(whole, axis, 0, self._extents[axis], f"{name}.cut")

    def steps(self, x: Value) -> Value:
        """How many steps of the grid ``x`` is away from 0, without regard to its ends."""
        if not self.is_unit:
            x = self.build.apply("Div", x, self.scale, suffix="quotient")
        return self.build.apply("Round", x, suffix="steps")

    def scaled(self, steps: Value, to: DType) -> None:
        """Let the numbers that are ``steps`` away from 0 be the result of the node."""
        result = self.build.node.outputs[0]
        if self.is_unit and to == FLOAT32:
            steps.type = result.type
            self.build.rewrite.substitute(result, steps)
        elif to == FLOAT32:
            self.build.become("Mul", steps, self.scale)
        else:
            wide = self.build.apply("Mul", steps, self.scale, suffix="wide")
            self.build.become("Cast", wide, to=to)

    def limited(self, steps: Value) -> Value:
        """Steps between the ends of the grid."""
        low, high = self.limits
        zero = self.zero
        if zero is None or (zero.data is not None and zero.data.size == 1):
            shift = 0.0 if zero is None or zero.data is None else float(zero.data.reshape(()))
            bounds = [self.build.number(end - shift, steps) for end in (low, high)]
            return self.build.apply("Clip", steps, *bounds, suffix="limited")
        ends = [
            self.build.apply("Sub", self.build.number(end, steps), zero, suffix=f"end{end}")
            for end in (low, high)
        ]
        above = self.build.apply("Max", steps, ends[0], suffix="above")
        return self.build.apply("Min", above, ends[1], suffix="limited")
