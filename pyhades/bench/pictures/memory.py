"""The memory of engines by part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pyhades.bench.pictures.rows import Cell

SLOT = 64
"""Bytes of a place in a queue."""
QUEUES = 2
"""Of a pool of whole workers: pictures, and results."""
OURS = "pyhades"


@dataclass(frozen=True)
class MemoryRow:
    """Of a process with one engine.

    Attributes
    ----------
    peak_mb
        Largest resident set; MB are 10^6 bytes.
    per_added_worker_mb
        What a worker more has added to that, beside the fewest workers; None where there is one
        number of workers only.
    parts_mb
        ``weights``, ``arenas``, ``buffers``, ``queues``, and the ``rest``: the interpreter,
        libraries, what codecs take. Of other engines only what is ours around them.
    nodes_mb
        By node of the machine, at the end.
    """

    engine: str
    workers: int
    threads_per_worker: int
    peak_mb: float
    per_added_worker_mb: float | None
    parts_mb: dict[str, float]
    nodes_mb: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def memory_rows(answers: Mapping[Cell, Mapping[str, Any]]) -> list[MemoryRow]:
    """What processes said of themselves at the end."""
    return [_row(cell, said, answers) for cell, said in answers.items()]


def _row(
    cell: Cell, said: Mapping[str, Any], answers: Mapping[Cell, Mapping[str, Any]]
) -> MemoryRow:
    same = [one for one in answers if one.engine == cell.engine]
    fewest = min(same, key=lambda one: one.workers)
    added = cell.workers - fewest.workers
    growth = said["peak_rss"] - answers[fewest]["peak_rss"]
    return MemoryRow(
        engine=cell.engine,
        workers=cell.workers,
        threads_per_worker=cell.threads,
        peak_mb=_mb(said["peak_rss"]),
        per_added_worker_mb=_mb(growth / added) if added else None,
        parts_mb={name: _mb(value) for name, value in _parts(cell, said).items()},
        nodes_mb={node: _mb(value) for node, value in said["nodes"].items()},
    )


def _parts(cell: Cell, said: Mapping[str, Any]) -> dict[str, float]:
    parts = dict(said["parts"])
    if cell.engine != OURS:
        return parts
    places = 1 << (2 * cell.workers - 1).bit_length()
    parts["queues"] = QUEUES * SLOT * places
    # Of arenas not every page need be touched.
    parts["rest"] = max(0, said["peak_rss"] - sum(parts.values()))
    return parts


def _mb(nbytes: float) -> float:
    return round(nbytes / 1e6, 6)
