"""What a program says of itself: one line per instruction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyhades import _native
from pyhades.compiler.instruction import Lowered
from pyhades.compiler.view import View
from pyhades.ir.graph import Dim


@dataclass(frozen=True)
class Line:
    """One instruction of a listing; flops and bytes are what the operator needs.

    With ``is_most`` they are those of the largest call: how much there is to do, the operator reads
    from its operands.
    """

    index: int
    op: str
    operands: str
    kernel: str
    flops: float
    bytes: float
    label: str
    is_most: bool = False

    @property
    def mflop(self) -> str:
        """10^6 floating-point operations, as tables show them."""
        return f"{'up to ' if self.is_most else ''}{self.flops / 1e6:.2f}"


def listing(lowered: Lowered, native: _native.Program) -> list[Line]:
    """The lines of a program."""
    pairs = zip(lowered.instructions, native.instructions, strict=True)
    return [
        Line(index, bound.op, _operands(own.inputs, own.outputs), bound.kernel, bound.flops,
             bound.bytes, bound.label, bound.is_most)
        for index, (own, bound) in enumerate(pairs)
    ]  # fmt: skip


def _operands(inputs: Sequence[View | None], outputs: Sequence[View | None]) -> str:
    shown = [
        _operand(view) for view in inputs if view is not None and view.buffer.kind != "constant"
    ]
    return f"{', '.join(shown)} -> {', '.join(_operand(view) for view in outputs)}"


def _operand(view: View | None) -> str:
    if view is None:
        return "_"
    return type_name(view.dtype, view.shape)


def type_name(dtype: np.dtype[Any], extents: Sequence[Dim]) -> str:
    """A dtype and a shape as listings show them."""
    short = {"float32": "f32", "float64": "f64", "int64": "i64", "int32": "i32"}
    return f"{short.get(dtype.name, dtype.name)}[{','.join(map(str, extents))}]"
