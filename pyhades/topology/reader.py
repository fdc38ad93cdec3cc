"""Reads the machine from sysfs, under a root that tests replace."""

from __future__ import annotations

import os
from pathlib import Path

from pyhades.topology.files import (
    format_cpus,
    numbered,
    parse_kilobytes,
    read_cpus,
    read_fields,
    read_number,
)
from pyhades.topology.machine import CacheGroup, Core, Machine, Node, Shared

MOST_CACHES = 10
"""No CPU describes more caches."""


def read_machine(root: str | os.PathLike[str] = "/") -> Machine:
    """Nodes, cache groups, cores and CPUs of the machine.

    Whatever the machine does not tell, as in some containers, is left out or taken for the
    simplest that it can be: one node, one group, cores of one CPU.

    Parameters
    ----------
    root
        Folder in which ``sys`` and ``proc`` are looked for.

    Returns
    -------
    Machine
        Prints as a table.

    Examples
    --------
    >>> machine = read_machine()
    >>> sum(len(group.cpus) for group in machine.groups) == len(machine.online)
    True
    """
    return _Reader(Path(root)).machine()


class _Reader:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.cpu_folder = root / "sys/devices/system/cpu"
        self.node_folder = root / "sys/devices/system/node"
        self.online = self._online()
        self.nodes = self._nodes()
        self.node_of = {cpu: node.number for node in self.nodes for cpu in node.cpus}
        self.told_nodes = bool(self.node_of)
        if not self.told_nodes:
            self.nodes = self._one_node()
        self.first_node = next((node.number for node in self.nodes if node.cpus), 0)
        self.package_of = {cpu: self._package(cpu) for cpu in self.online}

    def machine(self) -> Machine:
        groups = self._groups()
        group_of = {cpu: group.number for group in groups for cpu in group.cpus}
        present = read_cpus(self.cpu_folder / "present") or numbered(self.cpu_folder, "cpu")
        return Machine(
            online=self.online,
            offline=tuple(sorted(set(present) - set(self.online))),
            nodes=self.nodes,
            groups=groups,
            cores=self._cores(group_of),
        )

    def _online(self) -> tuple[int, ...]:
        told = read_cpus(self.cpu_folder / "online")
        if told:
            return told
        folders = numbered(self.cpu_folder, "cpu")
        if folders:
            return tuple(folders)
        allowed = read_fields(self.root / "proc/self/status").get("Cpus_allowed_list", "")
        count = allowed and max(map(int, allowed.replace("-", ",").split(","))) + 1
        return tuple(range(count or 1))

    def _nodes(self) -> tuple[Node, ...]:
        numbers = read_cpus(self.node_folder / "online") or numbered(self.node_folder, "node")
        return tuple(self._node(number, tuple(numbers)) for number in numbers)

    def _node(self, number: int, numbers: tuple[int, ...]) -> Node:
        folder = self.node_folder / f"node{number}"
        cpus = read_cpus(folder / "cpulist") or ()
        memory = read_fields(folder / "meminfo").get(f"Node {number} MemTotal", "")
        return Node(
            number,
            cpus=tuple(cpu for cpu in cpus if cpu in self.online),
            memory_bytes=parse_kilobytes(memory),
            distances=_distances(folder / "distance", numbers),
        )

    def _one_node(self) -> tuple[Node, ...]:
        """All CPUs, with the memory of the machine, where sysfs knows of no nodes with CPUs."""
        memory = read_fields(self.root / "proc/meminfo").get("MemTotal", "")
        return (Node(0, self.online, parse_kilobytes(memory)),)

    def _package(self, cpu: int) -> int:
        told = read_number(self.cpu_folder / f"cpu{cpu}/topology/physical_package_id")
        return 0 if told is None or told < 0 else told

    def _node_of(self, cpu: int) -> int:
        return self.node_of.get(cpu, self.first_node)

    def _groups(self) -> tuple[CacheGroup, ...]:
        """Classes of CPUs that share a cache and a node.

        A cache may be said to be shared by CPUs of several nodes (sub-NUMA clusters, or a virtual
        machine whose parts do not fit together); it is cut at their borders.
        """
        caches = self._third_level()
        classes: dict[tuple[int, str], list[int]] = {}
        for cpu in self.online:
            cache = caches.get(cpu)
            # Nodes part those without a cache; packages do where there are no nodes.
            apart = "" if self.told_nodes else f"package {self.package_of[cpu]}"
            key = f"L3 {format_cpus(cache)}" if cache else apart
            classes.setdefault((self._node_of(cpu), key), []).append(cpu)
        ordered = sorted(classes.items(), key=lambda item: (item[0][0], item[1]))
        return tuple(
            CacheGroup(number, tuple(cpus), node, self.package_of[cpus[0]], self._shared(key))
            for number, ((node, key), cpus) in enumerate(ordered)
        )

    def _shared(self, key: str) -> Shared:
        if key.startswith("L3"):
            return "L3"
        if self.told_nodes:
            return "node"
        return "package" if len(set(self.package_of.values())) > 1 else "machine"

    def _third_level(self) -> dict[int, tuple[int, ...]]:
        """CPUs that share the third-level cache of a CPU, for those that have one."""
        found: dict[int, tuple[int, ...]] = {}
        for cpu in self.online:
            if cpu in found:
                continue
            for index in range(MOST_CACHES):
                cache = self.cpu_folder / f"cpu{cpu}/cache/index{index}"
                if read_number(cache / "level") == 3:
                    shared = read_cpus(cache / "shared_cpu_list") or (cpu,)
                    found |= {other: shared for other in (*shared, cpu) if other not in found}
                    break
        return found

    def _cores(self, group_of: dict[int, int]) -> tuple[Core, ...]:
        cores, seen = [], set[int]()
        for cpu in self.online:
            if cpu in seen:
                continue
            siblings = [
                other for other in self._siblings(cpu) if group_of.get(other) == group_of[cpu]
            ]
            cpus = tuple(sorted({cpu, *siblings} - seen))
            seen.update(cpus)
            cores.append(Core(cpus, group_of[cpu], self._node_of(cpu), self.package_of[cpu]))
        return tuple(cores)

    def _siblings(self, cpu: int) -> tuple[int, ...]:
        folder = self.cpu_folder / f"cpu{cpu}/topology"
        # The second is what kernels before 5.3 call it.
        for name in ("core_cpus_list", "thread_siblings_list"):
            if told := read_cpus(folder / name):
                return told
        return (cpu,)


def _distances(path: Path, numbers: tuple[int, ...]) -> dict[int, int]:
    """Distances to the nodes that are online, in their order; none where the file does not fit."""
    try:
        told = [int(word) for word in path.read_text(encoding="ascii").split()]
    except (OSError, ValueError):
        return {}
    return dict(zip(numbers, told, strict=True)) if len(told) == len(numbers) else {}
