"""What of the machine this process may use, and what says so."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pyhades.topology.control_groups import ControlGroups
from pyhades.topology.environment import THREADS, count_in
from pyhades.topology.files import format_cpus, parse_cpus, read_fields, read_text
from pyhades.topology.machine import Machine

What = Literal["cpus", "quota", "threads", "memory", "nodes"]
UNLIMITED = 1 << 60
"""Version 1 of control groups writes a number beyond it where there is no limit."""


@dataclass(frozen=True)
class Limit:
    """Something that is less than the machine has, and what says so."""

    what: What
    said: str
    reason: str


@dataclass(frozen=True)
class Limits:
    """What :func:`read_limits` found; prints as a table.

    Attributes
    ----------
    cpus
        CPUs that this process may run on.
    quota
        How many of them at a time; None where there is no quota.
    memory_bytes
        Memory that it may use; None where nothing is known.
    nodes
        Nodes whose memory it may use.
    threads
        Threads of all workers together, where no argument says more; None where nobody has asked
        for fewer than there are CPUs.
    by
        What each of them is limited by; empty where the whole machine may be used.
    """

    cpus: tuple[int, ...]
    quota: float | None
    memory_bytes: int | None
    nodes: tuple[int, ...]
    by: tuple[Limit, ...] = ()
    threads: int | None = None

    @property
    def whole_cpus(self) -> int:
        """CPUs at a time that a quota gives in full, at least one; all where there is none."""
        if self.quota is None:
            return len(self.cpus)
        return min(len(self.cpus), max(1, math.floor(self.quota)))

    @property
    def at_a_time(self) -> int:
        """Threads that run at a time where no argument says more."""
        return self.whole_cpus if self.threads is None else min(self.whole_cpus, self.threads)

    def rows(self) -> list[tuple[str, str]]:
        """What is limited, and by what."""
        return [(limit.what, f"{limit.said} ({limit.reason})") for limit in self.by] or [
            ("limits", "none: the whole machine may be used")
        ]

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON takes it; CPUs and nodes as lists of the kernel's form."""
        return {
            "cpus": format_cpus(self.cpus),
            "quota": self.quota,
            "threads": self.threads,
            "memory_bytes": self.memory_bytes,
            "nodes": format_cpus(self.nodes),
            "by": [vars(limit) for limit in self.by],
        }

    def __str__(self) -> str:
        return "\n".join(f"{name:<10} {value}" for name, value in self.rows())


def read_limits(
    machine: Machine,
    root: str | os.PathLike[str] = "/",
    affinity: Iterable[int] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Limits:
    """What of a machine this process may use.

    Parameters
    ----------
    machine
        The machine.
    root
        Folder in which ``sys`` and ``proc`` are looked for.
    affinity
        CPUs that the process is bound to; asked of the system where None.
    environment
        Variables, of which ``PYHADES_NUM_THREADS`` counts; those of the process where None.

    Returns
    -------
    Limits
        Prints as a table.

    Raises
    ------
    ConfigurationError
        ``PYHADES_NUM_THREADS`` is not a number of threads.

    Examples
    --------
    >>> from pyhades.topology import read_machine
    >>> len(read_limits(read_machine()).cpus) >= 1
    True
    """
    return _Limits(machine, Path(root), affinity, environment).found()


class _Limits:
    def __init__(
        self,
        machine: Machine,
        root: Path,
        affinity: Iterable[int] | None,
        environment: Mapping[str, str] | None,
    ) -> None:
        self.machine = machine
        self.groups = ControlGroups(root / "sys/fs/cgroup", root / "proc/self/cgroup")
        self.status = read_fields(root / "proc/self/status")
        self.affinity = self._told(affinity, root)
        self.environment = _environment_of(root) if environment is None else environment
        self.by: list[Limit] = []

    def found(self) -> Limits:
        cpus, nodes = self._cpus(), self._nodes()
        quota, memory = self._quota(len(cpus)), self._memory(nodes)
        found = Limits(tuple(sorted(cpus)), quota, memory, tuple(sorted(nodes)))
        threads = self._threads(found.whole_cpus)
        return replace(found, threads=threads, by=tuple(self.by))

    def _told(self, affinity: Iterable[int] | None, root: Path) -> set[int]:
        if affinity is not None:
            return set(affinity)
        if root == Path("/"):
            return os.sched_getaffinity(0)
        return self._listed("Cpus_allowed_list")

    def _listed(self, name: str) -> set[int]:
        try:
            return set(parse_cpus(self.status.get(name, "")))
        except ValueError:
            return set()

    def _cpus(self) -> set[int]:
        online = set(self.machine.online)
        return self._narrowed(
            "cpus", online, self.groups.cpus(), (self.affinity, "CPU affinity")
        )  # fmt: skip

    def _nodes(self) -> set[int]:
        every = {node.number for node in self.machine.nodes}
        status = (self._listed("Mems_allowed_list"), "Mems_allowed")
        return self._narrowed("nodes", every, self.groups.memory_nodes(), status)

    def _narrowed(
        self,
        what: What,
        every: set[int],
        cpuset: tuple[tuple[int, ...], str] | None,
        status: tuple[set[int], str],
    ) -> set[int]:
        """What all sources allow; one that would leave nothing speaks of another machine."""
        sources = [status]
        if cpuset is not None:
            sources.insert(0, (set(cpuset[0]), f"cpuset of the control group {cpuset[1]}"))
        allowed = set(every)
        for source, reason in sources:
            left = allowed & source
            if left and left != allowed:
                allowed = left
                said = f"{format_cpus(left)}, {len(left)} of {len(every)}"
                self.by.append(Limit(what, said, reason))
        return allowed

    def _quota(self, cpus: int) -> float | None:
        told = self.groups.cpu_quota()
        if told is None or told[0] >= cpus:
            return None
        quota, group = told
        self.by.append(Limit("quota", f"{quota:g} CPUs", f"quota of the control group {group}"))
        return quota

    def _threads(self, cpus: int) -> int | None:
        asked = count_in(self.environment, THREADS)
        if asked is None or asked >= cpus:
            return None
        said = f"{asked} in all"
        self.by.append(Limit("threads", said, f"environment variable {THREADS}"))
        return asked

    def _memory(self, nodes: set[int]) -> int | None:
        known = [node.memory_bytes or 0 for node in self.machine.nodes if node.number in nodes]
        total, told = sum(known) or None, self.groups.memory_limit()
        if told is None or told[0] >= (total or UNLIMITED):
            return total
        limit, group = told
        said = f"{limit / 2**30:.1f} GiB"
        self.by.append(Limit("memory", said, f"limit of the control group {group}"))
        return limit


def _environment_of(root: Path) -> Mapping[str, str]:
    """Variables of this process, or of the one that a tree of files tells of."""
    if root == Path("/"):
        return os.environ
    lines = (read_text(root / "proc/self/environ") or "").split("\0")
    return dict(line.split("=", 1) for line in lines if "=" in line)
