"""Which workers there are and where they run: the answer of the planner."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from pyhades.errors import ArgumentError
from pyhades.tables import as_html, as_table
from pyhades.topology.files import format_cpus

Pinning = Literal["cores", "group", "node", "none"]
_PINNED: dict[Pinning, str] = {
    "cores": "each on cores of its own",
    "group": "anywhere in their cache group",
    "node": "anywhere on their node",
    "none": "not pinned",
}


@dataclass(frozen=True)
class WorkerPlan:
    """Where one worker runs.

    Attributes
    ----------
    cpus
        CPUs that its threads are pinned to, all to all of them.
    node
        Node of these CPUs; None where they are of several.
    l3
        Number of the cache group of these CPUs; None where they are of several.
    siblings
        Other CPUs of the same cores, free for codecs; none where there is no time to spare.
    """

    cpus: tuple[int, ...]
    node: int | None
    l3: int | None
    siblings: tuple[int, ...] = ()


@dataclass(frozen=True)
class ProcessPlan:
    """Workers of one process."""

    workers: tuple[WorkerPlan, ...]

    @property
    def nodes(self) -> tuple[int, ...]:
        """Nodes that its workers are pinned to; none where they are not pinned to one."""
        return _nodes(self.workers)


@dataclass(frozen=True)
class Plan:
    """Workers, their CPUs and their processes; prints as a table.

    Attributes
    ----------
    processes
        Processes, each with its workers.
    threads_per_worker
        Threads of every worker's team.
    cores
        Cores, or CPUs where siblings take part, that can be used at a time.
    pinning
        ``"cores"`` where every worker has cores of its own, which is so when all are taken. A plan
        that leaves some unused cannot know who else uses them; its workers stay within their cache
        ``"group"`` (teams of several threads) or ``"node"`` (one thread), or are not pinned
        (``"none"``). Workers that share cores stay within their group.
    spin
        Whether threads that wait may spin: there is a core for each.
    steal_order
        For every node with workers the others, the nearest first.
    idle
        CPUs of cores that no team fits on.
    machine, limits
        What it was planned for, a line each.
    notes
        What of the wishes was not met, and why.
    """

    processes: tuple[ProcessPlan, ...]
    threads_per_worker: int
    cores: int
    pinning: Pinning
    spin: bool
    steal_order: dict[int, tuple[int, ...]] = field(default_factory=dict)
    idle: tuple[int, ...] = ()
    machine: str = ""
    limits: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def workers(self) -> tuple[WorkerPlan, ...]:
        """Workers of all processes."""
        return tuple(worker for process in self.processes for worker in process.workers)

    @property
    def threads(self) -> int:
        """Threads of all workers."""
        return len(self.workers) * self.threads_per_worker

    def process(self, number: int) -> Plan:
        """The plan of one of its processes, for that process.

        Raises
        ------
        ArgumentError
            There is no such process.
        """
        if not 0 <= number < len(self.processes):
            raise ArgumentError(f"number={number} is none of {len(self.processes)} processes")
        own = self.processes[number]
        orders = {
            node: tuple(other for other in self.steal_order[node] if other in own.nodes)
            for node in own.nodes
        }
        return dataclasses.replace(self, processes=(own,), steal_order=orders)

    def line(self) -> str:
        """The plan in one line, for reports."""
        threads = "thread" if self.threads_per_worker == 1 else "threads"
        workers = "worker" if len(self.workers) == 1 else "workers"
        processes = "process" if len(self.processes) == 1 else "processes"
        spin = "" if self.spin else ", no spinning"
        limits = f"; limited: {'; '.join(self.limits)}" if self.limits else ""
        return (
            f"{len(self.workers)} {workers} x {self.threads_per_worker} {threads} in "
            f"{len(self.processes)} {processes}, {_PINNED[self.pinning]}{spin}; "
            f"{self.machine}{limits}"
        )

    def remarks(self) -> list[str]:
        """What else is to be said, a line each."""
        idle = [f"no team fits on CPUs {format_cpus(self.idle)}"] if self.idle else []
        return [f"note: {note}" for note in (*self.notes, *idle)]

    def rows(self) -> list[list[str]]:
        """A row per process and place, the first says what stands in them."""
        rows = [["process", "node", "L3", "workers", "CPUs", "free siblings"]]
        for number, process in enumerate(self.processes):
            places = Counter((worker.node, worker.l3) for worker in process.workers)
            for place, count in places.items():
                here = [w for w in process.workers if (w.node, w.l3) == place]
                cpus = (format_cpus(_all(getattr(w, name) for w in here)) for name in _LISTED)
                rows.append([str(number), *map(_number, place), str(count), *cpus])
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON takes it; CPUs as lists of the kernel's form."""
        return {
            "line": self.line(),
            "threads_per_worker": self.threads_per_worker,
            "cores": self.cores,
            "pinning": self.pinning,
            "spin": self.spin,
            "processes": [[_written(w) for w in process.workers] for process in self.processes],
            "steal_order": {str(node): list(order) for node, order in self.steal_order.items()},
            "idle": format_cpus(self.idle),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        table = as_table(self.rows(), (0, 1, 2, 3))
        return "\n".join([self.line(), *self.remarks(), table])

    def _repr_html_(self) -> str:
        said = [[part] for part in (self.line(), *self.remarks())]
        return as_html(said) + as_html(self.rows())


_LISTED = ("cpus", "siblings")


def _nodes(workers: tuple[WorkerPlan, ...]) -> tuple[int, ...]:
    return tuple(sorted({worker.node for worker in workers if worker.node is not None}))


def _all(lists: Iterable[tuple[int, ...]]) -> set[int]:
    return {number for numbers in lists for number in numbers}


def _number(number: int | None) -> str:
    return "any" if number is None else str(number)


def _written(worker: WorkerPlan) -> dict[str, Any]:
    lists = {name: format_cpus(getattr(worker, name)) for name in _LISTED}
    return {"node": worker.node, "l3": worker.l3, **lists}
