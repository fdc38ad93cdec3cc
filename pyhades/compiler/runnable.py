"""What everything that runs says of itself: lines, work, memory, and how it is shown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

from pyhades.compiler.listing import Line
from pyhades.tables import as_html, as_table


@dataclass(frozen=True)
class Memory:
    """Bytes that a program needs: its arena (per concurrent call) and its packed constants."""

    arena: int
    constants: int

    def __str__(self) -> str:
        return f"arena {self.arena / 1e6:.1f} MB, constants {self.constants / 1e6:.1f} MB"


class Runnable(ABC):
    """Native operators in a row, which can be listed, stopped and closed."""

    title: ClassVar[str]
    """What its ``repr`` begins with."""
    name: str
    threads: int
    isa: str

    @property
    @abstractmethod
    def lines(self) -> list[Line]:
        """The listing: one :class:`~pyhades.compiler.listing.Line` per instruction."""

    @property
    @abstractmethod
    def memory(self) -> Memory:
        """What the program allocates."""

    @abstractmethod
    def cancel(self) -> None:
        """Stop the runs that other threads have begun, each after its current instruction."""

    @abstractmethod
    def close(self) -> None:
        """Free the arenas. The program cannot run afterwards."""

    @property
    def flops(self) -> float:
        """Floating-point operations of the largest run; a multiply-add is two."""
        return sum(line.flops for line in self.lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        most = "up to " if any(line.is_most for line in self.lines) else ""
        return (
            f"{self.title}({self.name}: {len(self.lines)} instructions, "
            f"{most}{self.flops / 1e9:.2f} GFLOP, {self.memory}, {self.isa}, "
            f"{self.threads} threads)"
        )

    def __str__(self) -> str:
        return f"{self!r}\n{as_table(self._rows(), right=(0, 3))}"

    def _repr_html_(self) -> str:
        return as_html(self._rows())

    def _rows(self) -> list[list[str]]:
        rows = [["#", "op", "operands", "MFLOP", "kernel", "label"]]
        rows += [
            [str(line.index), line.op, line.operands, line.mflop, line.kernel, line.label]
            for line in self.lines
        ]
        return rows
