"""Einstein sums: two operands at a time, as matrix products of views."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, count

from pyhades.ir.graph import Node, Value
from pyhades.ir.ops.matrix import Einsum
from pyhades.ir.registry import operator
from pyhades.ir.shapes import shape
from pyhades.passes.decompose.rule import Builder, rule, source


@rule("Einsum")
def _einsum(build: Builder, node: Node) -> None:
    _Contraction(build, node).rewrite()


@dataclass(frozen=True)
class _Operand:
    """A value with one label per axis, each once; the axes of a label have its extent."""

    value: Value
    labels: tuple[str, ...]


class _Contraction:
    """The operands that are left, contracted until one is."""

    def __init__(self, build: Builder, node: Node) -> None:
        known = operator("Einsum")
        assert isinstance(known, Einsum)
        self.build = build
        self._numbers = count()
        spelled, self.output, extents = known.labels(node)
        self.extents = {label: int(extent) for label, extent in extents.items()}
        self.operands = [
            self._distinct(source(node, index), labels) for index, labels in enumerate(spelled)
        ]

    def rewrite(self) -> None:
        """Contract, then let the result stand for the output of the node."""
        while len(self.operands) > 1:
            left, right = self._next_pair()
            self.operands = [x for x in self.operands if x is not left and x is not right]
            kept = self._kept()
            left, right = (self._summed(x, y, kept) for x, y in ((left, right), (right, left)))
            self.operands.append(self._product(left, right, kept))
        (last,) = self.operands
        last = self._summed(last, None, set(self.output))
        self.build.become_reshape(self._arranged(last, self.output))

    def _kept(self) -> set[str]:
        """The labels that the output or an operand that is left needs."""
        return {*self.output, *(label for x in self.operands for label in x.labels)}

    def _next_pair(self) -> tuple[_Operand, _Operand]:
        """The pair with the smallest result."""

        def size(pair: tuple[_Operand, _Operand]) -> int:
            rest = {label for x in self.operands if x not in pair for label in x.labels}
            mine = {*pair[0].labels, *pair[1].labels} & {*rest, *self.output}
            return math.prod(self.extents[label] for label in mine)

        return min(combinations(self.operands, 2), key=size)

    def _name(self, what: str) -> str:
        return f"{what}{next(self._numbers)}"

    def _distinct(self, x: Value, labels: Sequence[str]) -> _Operand:
        """Diagonals for labels that repeat; no axis where an extent of 1 stands for more."""
        names = list(labels)
        for label in dict.fromkeys(labels):
            while names.count(label) > 1:
                first = names.index(label)
                second = names.index(label, first + 1)
                x = self._diagonal(x, first, second)
                names = [n for i, n in enumerate(names) if i not in (first, second)] + [label]
        wide = [i for i, n in enumerate(names) if shape(x)[i] == self.extents[n]]
        extents = [shape(x)[i] for i in wide]
        x = self.build.reshape(x, extents, self._name("operand"))
        return _Operand(x, tuple(names[i] for i in wide))

    def _diagonal(self, x: Value, first: int, second: int) -> Value:
        """The value with two axes moved to the end and replaced by their diagonal."""
        rest = [axis for axis in range(len(shape(x))) if axis not in (first, second)]
        moved = self.build.transpose(x, (*rest, first, second))
        *stack, n, m = shape(moved)
        flat = self.build.reshape(moved, (*stack, n * m), self._name("flat"))
        extent = max(n, m)
        step = (m if n > 1 else 0) + (1 if m > 1 else 0)
        stop = (extent - 1) * step + 1
        return self.build.slice(flat, len(stack), 0, stop, self._name("diagonal"), max(step, 1))

    def _summed(self, x: _Operand, other: _Operand | None, kept: set[str]) -> _Operand:
        """``x`` summed over labels that nothing else has."""
        needed = kept if other is None else {*kept, *other.labels}
        axes = [axis for axis, label in enumerate(x.labels) if label not in needed]
        if not axes:
            return x
        positions = self.build.integers(self._name("axes"), axes)
        y = self.build.apply(
            "ReduceSum", x.value, positions, suffix=self._name("summed"), keepdims=0
        )
        return _Operand(y, tuple(label for label in x.labels if label in needed))

    def _product(self, left: _Operand, right: _Operand, kept: set[str]) -> _Operand:
        """A stack of matrix products, or a product of elements where nothing is summed."""
        if self._is_turned(left, right):
            left, right = right, left
        shared = [label for label in left.labels if label in right.labels]
        summed = [label for label in shared if label not in kept]
        batch = [label for label in shared if label in kept]
        rows = [label for label in left.labels if label not in shared]
        columns = [label for label in right.labels if label not in shared]
        if not summed:
            return self._outer(left, right, batch, rows, columns)
        a = self._matrix(left, batch, rows, summed)
        b = self._matrix(right, batch, summed, columns)
        y = self.build.apply("MatMul", a, b, suffix=self._name("product"))
        labels = (*batch, *rows, *columns)
        extents = [self.extents[label] for label in labels]
        return _Operand(self.build.reshape(y, extents, self._name("result")), labels)

    def _is_turned(self, left: _Operand, right: _Operand) -> bool:
        """Whether the output wants what is of the right alone first."""
        places = {label: i for i, label in enumerate(self.output)}
        mine = [places[n] for n in left.labels if n in places and n not in right.labels]
        theirs = [places[n] for n in right.labels if n in places and n not in left.labels]
        return bool(mine and theirs) and max(mine) > max(theirs)

    def _matrix(self, x: _Operand, batch: list[str], rows: list[str], columns: list[str]) -> Value:
        """``x`` as [*batch, rows, columns]."""
        arranged = self._arranged(x, [*batch, *rows, *columns])
        extents = [self.extents[label] for label in batch]
        extents += [math.prod(self.extents[label] for label in part) for part in (rows, columns)]
        return self.build.reshape(arranged, extents, self._name("matrix"))

    def _outer(
        self,
        left: _Operand,
        right: _Operand,
        batch: list[str],
        rows: list[str],
        columns: list[str],
    ) -> _Operand:
        labels = (*batch, *rows, *columns)
        parts = []
        for x in (left, right):
            present = [label for label in labels if label in x.labels]
            extents = [self.extents[label] if label in x.labels else 1 for label in labels]
            arranged = self._arranged(x, present)
            parts.append(self.build.reshape(arranged, extents, self._name("factor")))
        y = self.build.apply("Mul", *parts, suffix=self._name("product"))
        return _Operand(y, labels)

    def _arranged(self, x: _Operand, labels: Sequence[str]) -> Value:
        """The value of ``x`` with its axes in the order of ``labels``."""
        perm = [x.labels.index(label) for label in labels if label in x.labels]
        return x.value if perm == sorted(perm) else self.build.transpose(x.value, perm)
