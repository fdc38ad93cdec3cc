"""How many workers of how many threads: measured, on the model and on pictures of the run."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyhades.segmentation.bulk.rendering import Rendering
from pyhades.segmentation.bulk.session_pool import SessionPool
from pyhades.segmentation.image.reading import ImageLike
from pyhades.segmentation.remover import Remover
from pyhades.tables import as_html, as_table
from pyhades.topology import Plan, plan_workers, team_sizes

SECONDS = 2.0
"""For one choice."""
CLOSE = 0.97
"""Of the fastest: of choices that come so near, the one with the fewest workers is taken."""


@dataclass(frozen=True)
class Cell:
    """One choice, as measured.

    Attributes
    ----------
    plan
        Workers and threads.
    rate
        Pictures per second.
    seconds
        Of a picture, median.
    """

    plan: Plan
    rate: float
    seconds: float

    @property
    def choice(self) -> tuple[int, int]:
        """Workers, and threads of each."""
        return len(self.plan.workers), self.plan.threads_per_worker


@dataclass(frozen=True)
class Calibration:
    """All choices, and the one that was taken; prints as a table."""

    cells: tuple[Cell, ...]
    chosen: Cell

    def _rows(self) -> list[list[str]]:
        rows = [["workers", "threads", "pictures/s", "s a picture", ""]]
        for cell in self.cells:
            workers, threads = cell.choice
            mark = "chosen" if cell is self.chosen else ""
            rows.append(
                [str(workers), str(threads), f"{cell.rate:.2f}", f"{cell.seconds:.3f}", mark]
            )
        return rows

    def __str__(self) -> str:
        return as_table(self._rows(), (0, 1, 2, 3))

    def _repr_html_(self) -> str:
        return as_html(self._rows())


def calibrate(
    remover: Remover,
    samples: Sequence[ImageLike],
    rendering: Rendering | None = None,
    *,
    seconds: float = SECONDS,
    bytes_per_worker: int | None = None,
    report: Callable[[Cell], object] = lambda cell: None,
) -> Calibration:
    """Try the choices that this machine has, each for some seconds.

    Parameters
    ----------
    remover
        The model.
    samples
        Pictures, which are gone through again and again.
    rendering
        What is made of them.
    seconds
        For each choice; it gets at least two pictures per worker.
    bytes_per_worker
        Memory that a worker takes, which bounds their number.
    report
        Called with each choice as it is measured.

    Examples
    --------
    >>> import numpy as np, pyhades
    >>> from pyhades.segmentation.bulk.calibration import calibrate
    >>> with pyhades.Remover() as remover:
    ...     found = calibrate(remover, [np.zeros((40, 60, 3), np.uint8)], seconds=0.05)
    >>> found.chosen in found.cells
    True
    """
    plans = [
        plan_workers(threads_per_worker=size, processes="one", bytes_per_worker=bytes_per_worker)
        for size in team_sizes()
    ]
    cells = []
    for plan in plans:
        cell = _measured(remover, plan, samples, rendering, seconds)
        report(cell)
        cells.append(cell)
    best = max(cell.rate for cell in cells)
    good = [cell for cell in cells if cell.rate >= CLOSE * best]
    return Calibration(tuple(cells), min(good, key=lambda cell: (cell.choice[0], -cell.rate)))


def _measured(
    remover: Remover,
    plan: Plan,
    samples: Sequence[ImageLike],
    rendering: Rendering | None,
    seconds: float,
) -> Cell:
    workers = len(plan.workers)
    times: list[float] = []
    with SessionPool(remover, plan=plan) as pool:
        end = None
        began = time.perf_counter()
        for _, outcome in pool.run(itertools.cycle(samples), rendering, in_order=False):
            if isinstance(outcome, Exception):
                raise outcome
            times.append(time.perf_counter())
            if len(times) == workers:  # arenas are touched, programs compiled
                began = times[-1]
                end = began + seconds
            if end is not None and len(times) >= 3 * workers and times[-1] >= end:
                break
    counted = len(times) - workers
    rate = counted / (times[-1] - began)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times[workers - 1 :])]
    return Cell(plan, rate, statistics.median(gaps) * workers)
