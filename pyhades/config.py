"""What this machine offers and what pyhades makes of it: threads, tier, memory.

The environment variables are read when they are needed, not at import.
"""

from __future__ import annotations

import math
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from pyhades import _native
from pyhades.errors import ArgumentError
from pyhades.topology import ControlGroups, read_machine
from pyhades.topology.control_groups import MOUNT
from pyhades.topology.environment import THREADS, count_in

CGROUP = MOUNT
"""Where control groups are looked for; tests replace it."""


@dataclass(frozen=True)
class ThreadCount:
    """A number of threads and where it comes from."""

    count: int
    reason: str


def thread_count(threads: int | None = None) -> ThreadCount:
    """Number of threads to use, and why.

    The first of these that is set decides: the argument, ``PYHADES_NUM_THREADS``,
    ``OMP_NUM_THREADS``, the CPU quota of the control group, the CPU affinity.

    Raises
    ------
    ArgumentError, ConfigurationError
        If the argument or a variable is not a positive number.
    """
    if threads is not None:
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise ArgumentError(f"threads={threads!r} must be an integer of at least 1")
        return ThreadCount(threads, "argument")
    for name in (THREADS, "OMP_NUM_THREADS"):
        count = count_in(os.environ, name)
        if count is not None:
            return ThreadCount(count, f"environment variable {name}")
    allowed = len(os.sched_getaffinity(0))
    told = ControlGroups(CGROUP).cpu_quota()
    if told is not None and told[0] < allowed:
        return ThreadCount(max(1, math.floor(told[0])), f"cgroup quota of {told[0]:g} CPUs")
    return ThreadCount(allowed, f"CPU affinity ({allowed} of {os.cpu_count()} CPUs)")


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def memory_bytes() -> int:
    """Memory that this process may use: the machine's, or what its cgroup allows."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    told = ControlGroups(CGROUP).memory_limit()
    return total if told is None else min(total, told[0])


@dataclass(frozen=True)
class Config:
    """What :func:`pyhades.show_config` found; prints as a table."""

    version: str
    cpu: str
    tier: str
    supported_tiers: tuple[str, ...]
    emulated_tiers: tuple[str, ...]
    threads: int
    threads_reason: str
    memory_bytes: int
    numa_nodes: int
    kernels: int

    def rows(self) -> list[tuple[str, str]]:
        """Names and values, formatted."""
        cap = os.environ.get("PYHADES_ISA")
        names = [
            f"{tier} (emulated)" if tier in self.emulated_tiers else tier
            for tier in self.supported_tiers
        ]
        tier = f"{self.tier} (of {', '.join(names)})"
        return [
            ("pyhades", self.version),
            ("cpu", self.cpu),
            ("tier", tier + (f", capped by PYHADES_ISA={cap}" if cap else "")),
            ("threads", f"{self.threads} (from {self.threads_reason})"),
            ("memory", f"{self.memory_bytes / 2**30:.1f} GiB"),
            ("numa nodes", str(self.numa_nodes)),
            ("kernels", f"{self.kernels} usable here"),
        ]

    def __str__(self) -> str:
        return "\n".join(f"{name:<11} {value}" for name, value in self.rows())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        cells = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in self.rows())
        return f"<table>{cells}</table>"


def show_config() -> Config:
    """CPU, instruction-set tier, threads (and why that many), memory and NUMA nodes.

    Returns
    -------
    Config
        Prints as a table; every row is an attribute.

    Raises
    ------
    ConfigurationError
        An environment variable has a value that cannot be obeyed.

    Examples
    --------
    >>> import pyhades
    >>> pyhades.show_config().threads >= 1
    True
    """
    from pyhades import __version__

    threads = thread_count()
    return Config(
        version=__version__,
        cpu=_cpu_model(),
        tier=_native.tier_name(),
        supported_tiers=tuple(_native.supported_tiers()),
        emulated_tiers=tuple(_native.emulated_tiers()),
        threads=threads.count,
        threads_reason=threads.reason,
        memory_bytes=memory_bytes(),
        numa_nodes=len(read_machine().nodes),
        kernels=sum(kernel.is_supported for kernel in _native.implementations()),
    )
