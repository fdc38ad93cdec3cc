"""What a scenario has found: rows of numbers, and checks of what should be so."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pyhades.bench.serve.outcome import Spread


class Row(Protocol):
    """Numbers of one measurement, a dataclass that JSON can hold."""

    def cells(self) -> dict[str, str]:
        """The same for a table, by column."""


Report = Callable[[Row], object]


@dataclass(frozen=True)
class Check:
    """Something that should be so.

    Parameters
    ----------
    name
        What was looked at.
    measured
        What was seen.
    wanted
        What should have been.
    holds
        Whether it was.
    must
        Whether a server that fails it is broken; otherwise it is slower than one would like.
    """

    name: str
    measured: str
    wanted: str
    holds: bool
    must: bool = True

    def __str__(self) -> str:
        verdict = "ok" if self.holds else "FAILED" if self.must else "missed"
        return f"{verdict:<7}{self.name}: {self.measured} (wanted: {self.wanted})"


@dataclass
class Findings:
    """Of a scenario."""

    rows: list[Row] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    @property
    def broken(self) -> bool:
        """Whether something that must be so was not."""
        return any(check.must and not check.holds for check in self.checks)

    def add(self, other: Findings) -> None:
        """Take those of another server, or of another part."""
        self.rows += other.rows
        self.checks += other.checks

    def for_json(self) -> dict[str, Any]:
        """Rows and checks as ``{"results": [...], "checks": [...]}``."""
        return {
            "results": [dataclasses.asdict(row) for row in self.rows],  # type: ignore[call-overload]
            "checks": [dataclasses.asdict(check) for check in self.checks],
        }


def line(row: Row) -> str:
    """A row as a line of text."""
    return "  ".join(f"{name} {text}" for name, text in row.cells().items())


def markdown(rows: Sequence[Row]) -> str:
    """Rows of one kind as a table."""
    if not rows:
        return ""
    cells = [row.cells() for row in rows]
    lines = [list(cells[0]), ["---"] * len(cells[0]), *(list(each.values()) for each in cells)]
    return "\n".join("| " + " | ".join(parts) + " |" for parts in lines)


def told(spread: Spread | None, digits: int = 0) -> str:
    """Percentiles as ``p50 / p90 / p99``."""
    if spread is None:
        return "-"
    return " / ".join(f"{value:.{digits}f}" for value in (spread.p50, spread.p90, spread.p99))


def number(value: float | None, form: str = ".1f") -> str:
    """A number, or a dash for none."""
    return "-" if value is None else format(value, form)
