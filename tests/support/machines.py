"""Trees of files that look like the sysfs, proc and control groups of machines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pyhades.topology.files import format_cpus

GIB = 1 << 30


@dataclass(frozen=True)
class FakeMachine:
    """A machine of equal packages, nodes, cache groups and cores.

    CPUs are numbered as most firmware does it: first CPUs of all cores first, then their siblings.
    """

    packages: int = 1
    nodes: int = 1
    """Of a package, with CPUs."""
    groups: int = 1
    """Of a node: sets of cores that share a third-level cache."""
    cores: int = 2
    """Of a group."""
    threads: int = 1
    """Of a core."""
    node_bytes: int = 8 * GIB
    offline: tuple[int, ...] = ()
    memory_nodes: tuple[int, ...] = ()
    """Bytes of nodes without CPUs."""
    far: tuple[int, int] = (12, 32)
    """Distances of nodes of one package, of different ones."""
    l3: str = "group"
    """What a cache is said to be shared by: "group", "package", or "" for machines that say
    nothing of caches."""
    tells_nodes: bool = True
    numbers: Callable[[int], int] = lambda cpu: cpu
    """The number of a CPU that would be that one."""
    affinity: str = ""
    mems_allowed: str = ""
    membership: str = "0::/\n"
    limits: dict[str, str] = field(default_factory=dict)
    """Files below /sys/fs/cgroup."""
    environment: dict[str, str] = field(default_factory=dict)
    """Variables of the process."""

    @property
    def core_count(self) -> int:
        return self.packages * self.nodes * self.groups * self.cores

    def cpus_of(self, first: int, count: int) -> tuple[int, ...]:
        """Online CPUs of ``count`` cores."""
        cores = range(first, first + count)
        every = [
            self.numbers(core + thread * self.core_count)
            for thread in range(self.threads)
            for core in cores
        ]
        return tuple(sorted(cpu for cpu in every if cpu not in self.offline))

    def write(self, root: Path) -> Path:
        """Make the tree; returns its root."""
        _Tree(self, root).write()
        return root


class _Tree:
    def __init__(self, machine: FakeMachine, root: Path) -> None:
        self.machine, self.root = machine, root
        self.made: set[Path] = set()
        self.online = machine.cpus_of(0, machine.core_count)

    def write(self) -> None:
        m = self.machine
        everything = sorted((*self.online, *m.offline))
        for name, cpus in (
            ("online", self.online),
            ("offline", m.offline),
            ("present", everything),
        ):
            self.put(f"sys/devices/system/cpu/{name}", format_cpus(cpus) if cpus else "")
        for cpu in m.offline:  # keeps its folder, and loses all that is said of it
            self.put(f"sys/devices/system/cpu/cpu{cpu}/online", "0")
        for core in range(m.core_count):
            self.core(core)
        if m.tells_nodes:
            self.nodes()
        self.process()

    def put(self, name: str, text: str) -> None:
        path = self.root / name
        if path.parent not in self.made:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.made.add(path.parent)
        path.write_text(f"{text}\n")

    def core(self, core: int) -> None:
        m = self.machine
        of_node = m.groups * m.cores
        of_package = m.nodes * of_node
        sharing = {"group": m.cores, "package": of_package, "": 0}[m.l3]
        siblings = m.cpus_of(core, 1)
        for cpu in siblings:
            folder = f"sys/devices/system/cpu/cpu{cpu}"
            self.put(f"{folder}/topology/physical_package_id", str(core // of_package))
            self.put(f"{folder}/topology/core_cpus_list", format_cpus(siblings))
            if sharing:
                if not core:  # one is enough to see that other levels are passed over
                    self.put(f"{folder}/cache/index0/level", "1")
                self.put(f"{folder}/cache/index3/level", "3")
                shared = m.cpus_of(core // sharing * sharing, sharing)
                self.put(f"{folder}/cache/index3/shared_cpu_list", format_cpus(shared))

    def nodes(self) -> None:
        m = self.machine
        of_node = m.groups * m.cores
        near = [m.cpus_of(i * of_node, of_node) for i in range(m.packages * m.nodes)]
        sizes = [m.node_bytes] * len(near) + list(m.memory_nodes)
        near += [()] * len(m.memory_nodes)
        self.put("sys/devices/system/node/online", format_cpus(range(len(near))))
        for number, cpus in enumerate(near):
            folder = f"sys/devices/system/node/node{number}"
            self.put(f"{folder}/cpulist", format_cpus(cpus) if cpus else "")
            self.put(f"{folder}/meminfo", f"Node {number} MemTotal:  {sizes[number] >> 10} kB")
            self.put(f"{folder}/distance", self.distances(number, len(near)))

    def distances(self, node: int, count: int) -> str:
        m = self.machine

        def distance(other: int) -> int:
            same_package = node // m.nodes == other // m.nodes
            return 10 if node == other else m.far[0] if same_package else m.far[1]

        return " ".join(str(distance(other)) for other in range(count))

    def process(self) -> None:
        m = self.machine
        memory_nodes = range(m.packages * m.nodes + len(m.memory_nodes))
        total = m.packages * m.nodes * m.node_bytes + sum(m.memory_nodes)
        self.put("proc/meminfo", f"MemTotal:  {total >> 10} kB")
        self.put(
            "proc/self/status",
            f"Name:\tpython\nCpus_allowed_list:\t{m.affinity or format_cpus(self.online)}\n"
            f"Mems_allowed_list:\t{m.mems_allowed or format_cpus(memory_nodes)}",
        )
        self.put("proc/self/cgroup", m.membership)
        self.put("proc/self/environ", "\0".join(map("=".join, m.environment.items())))
        for name, text in m.limits.items():
            self.put(f"sys/fs/cgroup/{name}", text)


def paired(cores: int) -> Callable[[int], int]:
    """Numbers of machines that count the siblings of a core one after the other."""
    return lambda cpu: cpu % cores * 2 + cpu // cores
