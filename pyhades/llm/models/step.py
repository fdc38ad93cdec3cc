"""One step of a language model as an assembly of native operators.

A step takes some tokens of some sequences at once: a piece of a prompt, the next token of each of a
batch, or both.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyhades.compiler.assembly import Assembly
from pyhades.llm.models.head import Head


@dataclass(frozen=True)
class Limits:
    """The largest step that a program takes."""

    tokens: int
    sequences: int
    wanted: int
    """Rows of logits."""


class StepBuilder(Assembly):
    """Collects the operators of a step that is within ``limits``.

    Attributes
    ----------
    head
        What makes logits, where parts of it can be multiplied.
    """

    head: Head | None = None

    def __init__(self, name: str, limits: Limits) -> None:
        super().__init__(name)
        self.limits = limits
