"""Operator signatures: which dtypes go in, which come out, and which inputs may be omitted.

A signature reads ``"F, F, F? -> F, I64?"``: letters are type variables, equal letters have equal
dtypes, ``?`` marks what may be omitted and ``...`` what may occur more than once. The first letter
of a variable restricts it (see :data:`KINDS`); lower-case names are NumPy dtypes; ``*`` is a dtype
that the operator computes itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pyhades.ir.graph import Node
from pyhades.ir.shapes import UnknownShape, fail

DType = np.dtype[Any]

KINDS = {"T": "any", "N": "a number", "F": "floating", "I": "int32 or int64", "Z": "integer"}
"""What the first letter of a type variable stands for."""


def _belongs(letter: str, dtype: DType) -> bool:
    match letter:
        case "N":
            return dtype.kind in "iuf"
        case "F":
            return dtype.kind == "f"
        case "I":
            return dtype in (np.dtype(np.int32), np.dtype(np.int64))
        case "Z":
            return dtype.kind in "iu"
    return True


@dataclass(frozen=True)
class Slot:
    """One input or output position of a signature."""

    dtype: str
    optional: bool = False
    variadic: bool = False

    @classmethod
    def parse(cls, text: str) -> Slot:
        """Read ``T``, ``T?``, ``T...`` or ``T?...``."""
        return cls(text.rstrip("?."), "?" in text, text.endswith("..."))


@dataclass(frozen=True)
class Signature:
    """Input and output slots of an operator."""

    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]

    @classmethod
    def parse(cls, text: str) -> Signature:
        """Read ``"F, F, F? -> F"``."""
        left, _, right = text.partition("->")
        sides = (side.split(",") if side.strip() else [] for side in (left, right))
        return cls(*(tuple(Slot.parse(item.strip()) for item in side) for side in sides))

    def bind(self, node: Node) -> dict[str, DType]:
        """The dtype of each type variable; ShapeError where count or dtypes do not fit."""
        self._check_counts(node)
        bound: dict[str, DType] = {}
        for index, value in enumerate(node.inputs):
            slot = _slot(self.inputs, index)
            if value is None:
                if not slot.optional:
                    fail(node, f"input {index} is missing")
                continue
            if value.type is None:
                raise UnknownShape
            _bind_one(node, index, slot.dtype, value.type.dtype, bound)
        return bound

    def output_dtypes(self, node: Node, bound: dict[str, DType]) -> list[DType | None]:
        """The dtype of each output; None for ``*``."""
        names = [_slot(self.outputs, index).dtype for index in range(len(node.outputs))]
        return [None if n == "*" else bound[n] if n in bound else np.dtype(n) for n in names]

    def _check_counts(self, node: Node) -> None:
        for slots, values, what in (
            (self.inputs, node.inputs, "input"),
            (self.outputs, node.outputs, "output"),
        ):
            least = sum(not slot.optional for slot in slots)
            most = len(slots)
            if len(values) < least:
                fail(node, f"needs at least {least} {what}(s), has {len(values)}")
            if len(values) > most and not (slots and slots[-1].variadic):
                fail(node, f"takes at most {most} {what}(s), has {len(values)}")


def _slot(slots: tuple[Slot, ...], index: int) -> Slot:
    return slots[min(index, len(slots) - 1)]


def _bind_one(node: Node, index: int, name: str, dtype: DType, bound: dict[str, DType]) -> None:
    if name == "*":
        return
    if name[0].islower():
        if dtype != np.dtype(name):
            fail(node, f"input {index} has dtype {dtype}, expected {name}")
        return
    if not _belongs(name[0], dtype):
        fail(node, f"input {index} has dtype {dtype}, expected {KINDS[name[0]]}")
    if bound.setdefault(name, dtype) != dtype:
        fail(node, f"input {index} has dtype {dtype}, expected {bound[name]} as the inputs before")
