"""What one instruction could be computed by, as programs of a single instruction."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from pyhades import _native
from pyhades.compiler.build import build
from pyhades.compiler.instruction import Instruction, Lowered
from pyhades.compiler.memory import plan_memory
from pyhades.compiler.view import Buffer, View
from pyhades.errors import UnsupportedOperatorError

ATTRIBUTE = "algorithm"
CHOICES = {"conv2d": ("direct", "winograd"), "qconv2d": ("direct", "winograd")}
"""Values of the attribute ``algorithm`` beside ``auto``, by operator."""


def is_open(instruction: Instruction) -> bool:
    """Whether nobody has chosen the algorithm, and there is a choice."""
    return instruction.op in CHOICES and ATTRIBUTE not in instruction.attributes


def describe(instruction: Instruction) -> str:
    """Equal for instructions that take equally long: operator, operands and attributes."""
    operands = [
        "_" if view is None else f"{view.dtype.name}{list(view.shape)}{list(view.strides)}"
        for view in (*instruction.inputs, *instruction.outputs)
    ]
    named = [f"{key}={value}" for key, value in sorted(instruction.attributes.items())]
    return " ".join([instruction.op, *operands, *named])


def alternatives(
    instruction: Instruction, isa: str | None
) -> Iterator[tuple[str, _native.Program]]:
    """Every algorithm that can compute ``instruction``, with a program that does."""
    for name in CHOICES[instruction.op]:
        alone = _alone(instruction, name)
        lowered = Lowered([alone], {}, [], {})
        try:
            built = build(lowered, plan_memory(lowered), "tuning", isa)
        except UnsupportedOperatorError:
            continue  # the algorithm is not for this shape
        yield name, built.native


def _alone(instruction: Instruction, algorithm: str) -> Instruction:
    """The same on memory of its own; constants are those of the network."""
    buffers: dict[Buffer, Buffer] = {}

    def moved(view: View | None) -> View | None:
        if view is None or view.buffer.kind == "constant":
            return view
        own = Buffer("arena", view.buffer.name, view.buffer.nbytes)
        return dataclasses.replace(view, buffer=buffers.setdefault(view.buffer, own))

    return Instruction(
        instruction.op,
        [moved(view) for view in instruction.inputs],
        [moved(view) for view in instruction.outputs],
        {**instruction.attributes, ATTRIBUTE: algorithm},
        instruction.label,
    )
