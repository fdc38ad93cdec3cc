"""Determinants and inverses by elimination with the largest element of each column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pyhades.ir.graph import Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.shapes import shape
from pyhades.passes.decompose.rule import Builder, dtype_of, rule, source


@rule("Det")
def _determinant(build: Builder, node: Node) -> None:
    """The product of the pivots, with a sign per exchange of rows."""
    x = _stack(build, node)
    total = constant(f"{build.name}.one", np.ones((shape(x)[0], 1, 1), dtype_of(x)))
    for step in range(shape(x)[1]):
        pivot = _Step(build, step).pivot(x, step)
        one, minus = build.number(1, x), build.number(-1, x)
        sign = build.apply("Where", pivot.stays, one, minus, suffix=f"sign{step}")
        signed = build.apply("Mul", pivot.value, sign, suffix=f"signed{step}")
        total = build.apply("Mul", total, signed, suffix=f"total{step}")
        x = _Step(build, step).below(pivot, step)
    build.become_reshape(total)


@rule("Inverse")
def _inverse(build: Builder, node: Node) -> None:
    """Gauss and Jordan: what turns a matrix into ones turns ones into its inverse."""
    x = _stack(build, node)
    b, n, _ = shape(x)
    eye = constant(f"{build.name}.eye", np.eye(n, dtype=dtype_of(x))[None])
    ones = build.apply("Expand", eye, build.integers("stack", (b, n, n)), suffix="ones")
    x = build.apply("Concat", x, ones, suffix="both", axis=2)
    for step in range(n):
        pivot = _Step(build, step).pivot(x, step)
        x = _Step(build, step).everywhere(pivot, step)
    build.become_reshape(build.slice(x, 2, n, 2 * n, "inverse"))


def _stack(build: Builder, node: Node) -> Value:
    """The matrices as [b, n, n]."""
    x = source(node)
    *stack, n, _ = shape(x)
    return build.reshape(x, (int(np.prod(stack)), n, n), "matrices")


@dataclass(frozen=True)
class _Pivot:
    """The largest element of a column, its row, whether that was in place, and the rows after."""

    value: Value
    row: Value
    stays: Value
    exchanged: Value


class _Step:
    """One column of the elimination."""

    def __init__(self, build: Builder, step: int) -> None:
        self.build, self._step = build, step

    def _apply(self, op: str, *inputs: Value, suffix: str, **attributes: object) -> Value:
        return self.build.apply(op, *inputs, suffix=f"{suffix}{self._step}", **attributes)

    def _slice(self, x: Value, axis: int, start: int, stop: int, suffix: str) -> Value:
        return self.build.slice(x, axis, start, stop, f"{suffix}{self._step}")

    def pivot(self, x: Value, step: int) -> _Pivot:
        """Bring the row with the largest element of a column to the place of row ``step``."""
        build, (b, n, width) = self.build, shape(x)
        column = self._slice(x, 2, step, step + 1, "column")
        candidates = self._slice(column, 1, step, n, "candidates")
        size = self._apply("Abs", candidates, suffix="size")
        best = self._apply("ArgMax", size, suffix="best", axis=1, keepdims=1)
        best = self._apply("Add", best, build.number(step, best), suffix="at")
        target = build.integers(f"row{self._step}", [b, 1, width])
        indices = self._apply("Expand", best, target, suffix="indices")
        row = self._apply("GatherElements", x, indices, suffix="pivot_row", axis=1)
        rows = constant(f"{build.name}.rows", np.arange(n, dtype=np.int64).reshape(1, n, 1))
        first = self._slice(x, 1, step, step + 1, "first")
        chosen = self._apply("Equal", best, rows, suffix="chosen")
        exchanged = self._apply("Where", chosen, first, x, suffix="moved")
        here = self._apply("Equal", rows, build.number(step, rows), suffix="here")
        exchanged = self._apply("Where", here, row, exchanged, suffix="exchanged")
        stays = self._apply("Equal", best, build.number(step, best), suffix="stays")
        value = self._slice(row, 2, step, step + 1, "pivot")
        return _Pivot(value, row, stays, exchanged)

    def below(self, pivot: _Pivot, step: int) -> Value:
        """The column made zero below the pivot; a column of zeros is left as it is."""
        build, x = self.build, pivot.exchanged
        zero, one = build.number(0, x), build.number(1, x)
        singular = self._apply("Equal", pivot.value, zero, suffix="singular")
        divisor = self._apply("Where", singular, one, pivot.value, suffix="divisor")
        column = self._slice(x, 2, step, step + 1, "lead")
        after = np.arange(shape(x)[1]).reshape(1, -1, 1) > step
        mask = constant(f"{build.name}.after{step}", after.astype(dtype_of(x)))
        factor = self._apply("Div", column, divisor, suffix="factor")
        factor = self._apply("Mul", factor, mask, suffix="masked")
        return self._apply(
            "Sub", x, self._apply("Mul", factor, pivot.row, suffix="scaled"), suffix="left"
        )

    def everywhere(self, pivot: _Pivot, step: int) -> Value:
        """The row scaled to a pivot of one, and the column made zero in every other."""
        build, x = self.build, pivot.exchanged
        scaled = self._apply("Div", pivot.row, pivot.value, suffix="scaled")
        column = self._slice(x, 2, step, step + 1, "lead")
        here = np.arange(shape(x)[1]).reshape(1, -1, 1) == step
        others = constant(f"{build.name}.others{step}", (~here).astype(dtype_of(x)))
        kept = self._apply("Mul", x, others, suffix="kept")
        factor = self._apply("Mul", column, others, suffix="factor")
        rest = self._apply(
            "Sub", kept, self._apply("Mul", factor, scaled, suffix="taken"), suffix="rest"
        )
        ones = constant(f"{build.name}.here{step}", here.astype(dtype_of(x)))
        return self._apply(
            "Add", rest, self._apply("Mul", ones, scaled, suffix="row"), suffix="left"
        )
