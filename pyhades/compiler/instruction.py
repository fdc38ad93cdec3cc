"""The lowered program before memory is planned: native operators on views."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pyhades.compiler.view import Buffer, View


@dataclass(eq=False)
class Instruction:
    """One native operator; ``in_place`` lists inputs whose memory the output may take over."""

    op: str
    inputs: list[View | None]
    outputs: list[View | None]
    attributes: dict[str, Any] = field(default_factory=dict)
    label: str = ""
    in_place: tuple[int, ...] = ()

    def views(self) -> Iterator[View]:
        """Every operand that is present."""
        for view in (*self.inputs, *self.outputs):
            if view is not None:
                yield view

    def __str__(self) -> str:
        inputs = ", ".join(
            "_" if view is None else f"{view.buffer!r} {view}" for view in self.inputs
        )
        outputs = ", ".join(
            "_" if view is None else f"{view.buffer!r} {view}" for view in self.outputs
        )
        return f"{self.op}({inputs}) -> {outputs}  # {self.label}"


@dataclass
class Lowered:
    """Instructions, where inputs and outputs are bound, and where each named value lies."""

    instructions: list[Instruction]
    inputs: dict[str, View]
    outputs: list[View]
    """In the order of the graph's outputs: C-contiguous, each in a buffer of its own."""
    values: dict[str, tuple[View, tuple[int, ...]]]
    """Where intermediate values lie, by name, and the shape that they have in the graph."""

    def buffers(self) -> list[Buffer]:
        """Every buffer once, in order of first use."""
        seen: dict[Buffer, None] = {}
        for view in self.inputs.values():
            seen.setdefault(view.buffer)
        for instruction in self.instructions:
            for view in instruction.views():
                seen.setdefault(view.buffer)
        for view in self.outputs:
            seen.setdefault(view.buffer)
        return list(seen)
