"""What a program says of itself: one line per instruction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
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


def as_table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Columns aligned for a terminal; ``right`` lists those to align right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def as_html(rows: Sequence[Sequence[str]]) -> str:
    """The first row as header."""

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows[1:])
    return f"<table><tr>{cells(rows[0], 'th')}</tr>{body}</table>"
