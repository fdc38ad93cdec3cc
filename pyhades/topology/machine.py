"""What a machine is made of: nodes of memory, groups of cores that share a cache, cores, CPUs.

A *CPU* is what Linux numbers: a hardware thread. A *core* has one or more of them, its siblings.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from pyhades.topology.files import format_cpus

Shared = Literal["L3", "node", "package", "machine"]
LOCAL, REMOTE = 10, 20
"""Distances that are taken where the machine tells none."""


@dataclass(frozen=True)
class Core:
    """CPUs of one core that are online, in order."""

    cpus: tuple[int, ...]
    group: int
    node: int
    package: int


@dataclass(frozen=True)
class CacheGroup:
    """Cores that share a last-level cache and the memory of one node.

    Attributes
    ----------
    shared
        What they share: ``"L3"``, or where the machine does not tell its caches the node, the
        package, or the machine.
    """

    number: int
    cpus: tuple[int, ...]
    node: int
    package: int
    shared: Shared


@dataclass(frozen=True)
class Node:
    """Memory, the CPUs that are near to it, and how far other nodes are.

    Attributes
    ----------
    cpus
        CPUs that are online; none where the node is only memory (CXL, HBM).
    memory_bytes
        None where the machine does not tell.
    distances
        By number of node; 10 is the node itself.
    """

    number: int
    cpus: tuple[int, ...]
    memory_bytes: int | None
    distances: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Machine:
    """What :func:`read_machine` found; prints as a table."""

    online: tuple[int, ...]
    offline: tuple[int, ...]
    nodes: tuple[Node, ...]
    groups: tuple[CacheGroup, ...]
    cores: tuple[Core, ...]

    @property
    def packages(self) -> tuple[int, ...]:
        """Numbers of the packages (sockets)."""
        return tuple(sorted({core.package for core in self.cores}))

    @property
    def memory_bytes(self) -> int | None:
        """Memory of all nodes together; None where no node tells."""
        known = [node.memory_bytes for node in self.nodes if node.memory_bytes is not None]
        return sum(known) if known else None

    def distance(self, one: int, other: int) -> int:
        """How far the memory of a node is from another, as the firmware tells."""
        found = [node.distances.get(other) for node in self.nodes if node.number == one]
        told = found[0] if found else None
        return told if told is not None else LOCAL if one == other else REMOTE

    def nearest(self, node: int) -> tuple[int, ...]:
        """All other nodes, the nearest first."""
        others = [other.number for other in self.nodes if other.number != node]
        return tuple(sorted(others, key=lambda other: (self.distance(node, other), other)))

    def line(self) -> str:
        """The machine in a line."""
        shared = sorted({group.shared for group in self.groups})
        groups = f"{len(self.groups)} {'/'.join(shared)} group"
        parts = [
            _counted(len(self.packages), "package"),
            _counted(len(self.nodes), "node"),
            groups + ("s" if len(self.groups) > 1 else ""),
            _counted(len(self.cores), "core"),
            _counted(len(self.online), "CPU"),
        ]
        return ", ".join(parts) + (f" ({len(self.offline)} offline)" if self.offline else "")

    def rows(self) -> list[tuple[str, str]]:
        """Names and values: the machine, then each node."""
        return [
            ("machine", self.line()),
            *((f"node {n.number}", self._said(n)) for n in self.nodes),
        ]

    def _said(self, node: Node) -> str:
        memory = "memory unknown"
        if node.memory_bytes is not None:
            memory = f"{node.memory_bytes / 2**30:.1f} GiB"
        groups = [group for group in self.groups if group.node == node.number]
        near = f"CPUs {format_cpus(node.cpus)}" if node.cpus else "no CPUs"
        caches = {f"{len(group.cpus)} CPUs" for group in groups if group.shared == "L3"}
        said = f", L3 shared by {' or '.join(sorted(caches))}" if caches else ""
        distances = " ".join(str(value) for value in node.distances.values())
        return f"{near}, {memory}{said}" + (f", distances {distances}" if distances else "")

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON takes it; CPUs as lists of the kernel's form."""
        return {
            "online": format_cpus(self.online),
            "offline": format_cpus(self.offline),
            "packages": list(self.packages),
            "nodes": [_written(node) for node in self.nodes],
            "groups": [_written(group) for group in self.groups],
            "cores": [format_cpus(core.cpus) for core in self.cores],
        }

    def __str__(self) -> str:
        return "\n".join(f"{name:<10} {value}" for name, value in self.rows())


def _written(part: Node | CacheGroup) -> dict[str, Any]:
    found = dataclasses.asdict(part)
    if "distances" in found:
        found["distances"] = {str(node): value for node, value in found["distances"].items()}
    return found | {"cpus": format_cpus(part.cpus)}


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
