"""From a machine, what limits its use, and wishes, to a plan."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Literal

from pyhades.arguments import check_count, check_flag, one_of
from pyhades.errors import ArgumentError
from pyhades.topology.environment import THREADS
from pyhades.topology.files import format_cpus
from pyhades.topology.limits import Limits, read_limits
from pyhades.topology.machine import Machine
from pyhades.topology.placement import place_workers
from pyhades.topology.plan import Pinning, Plan, ProcessPlan, WorkerPlan
from pyhades.topology.reader import read_machine
from pyhades.topology.rooms import rooms_of, team_sizes_of

Processes = Literal["auto", "one", "node", "l3"]


def plan_workers(
    machine: Machine | None = None,
    limits: Limits | None = None,
    *,
    workers: int | None = None,
    threads_per_worker: int | None = None,
    processes: Processes = "auto",
    use_smt: bool = False,
    bytes_per_worker: int | None = None,
) -> Plan:
    """Say how many workers there should be, and on which CPUs each of them runs.

    Teams are as small as they can be, since pictures are independent of one another: one thread,
    or more where memory does not hold a worker for every core. A team never spans two cache groups.

    Parameters
    ----------
    machine, limits
        What to plan for; by default this machine, and what this process may use of it.
    workers
        How many; by default as many as there are cores for, and memory. More than there are cores
        for share them. A quota is never exceeded. ``PYHADES_NUM_THREADS`` bounds the threads of all
        workers together, as far as arguments leave a choice.
    threads_per_worker
        Threads of every team.
    processes
        ``"one"`` for all workers, one for every ``"node"`` or for every cache group (``"l3"``);
        ``"auto"`` is one per node.
    use_smt
        Whether all CPUs of a core run threads of workers, not only the first.
    bytes_per_worker
        Memory that a worker takes, which bounds their number.

    Returns
    -------
    Plan
        Prints as a table.

    Raises
    ------
    ArgumentError
        A number is below 1, a name is none of those listed, or no cache group has as many cores as
        a team asks for.

    Examples
    --------
    >>> plan = plan_workers(workers=1, threads_per_worker=1)
    >>> len(plan.workers), plan.threads_per_worker
    (1, 1)
    """
    machine = read_machine() if machine is None else machine
    limits = read_limits(machine) if limits is None else limits
    wishes = _Wishes(workers, threads_per_worker, processes, use_smt, bytes_per_worker)
    return _Planner(machine, limits, wishes).plan()


def team_sizes(
    machine: Machine | None = None, limits: Limits | None = None, *, use_smt: bool = False
) -> tuple[int, ...]:
    """Sizes of teams that divide the cache groups: what a calibration chooses from.

    Examples
    --------
    >>> team_sizes()[0]
    1
    """
    machine = read_machine() if machine is None else machine
    limits = read_limits(machine) if limits is None else limits
    return team_sizes_of(rooms_of(machine, limits.cpus, use_smt), limits.at_a_time)


@dataclass(frozen=True)
class _Wishes:
    workers: int | None
    threads: int | None
    processes: Processes
    use_smt: bool
    bytes_per_worker: int | None

    def __post_init__(self) -> None:
        named = {
            "workers": self.workers,
            "threads_per_worker": self.threads,
            "bytes_per_worker": self.bytes_per_worker,
        }
        for name, value in named.items():
            if value is not None:
                check_count(name, value)
        one_of("processes", self.processes, Processes)
        check_flag("use_smt", self.use_smt)


@dataclass
class _Planner:
    machine: Machine
    limits: Limits
    wishes: _Wishes
    notes: list[str] = field(default_factory=list)

    def plan(self) -> Plan:
        self.rooms = rooms_of(self.machine, self.limits.cpus, self.wishes.use_smt)
        seats = sum(len(room.seats) for room in self.rooms)
        self.at_a_time = min(seats, self.limits.at_a_time)
        self.has_quota = self.limits.quota is not None
        threads = self._threads()
        count = self._count(threads)
        pinning = self._pinning(count, threads)
        workers = place_workers(self.rooms, count, threads, pinning)
        self._note_threads(count * threads)
        self._note_far_memory(workers)
        if self.has_quota:  # siblings have no time to spare either
            workers = [dataclasses.replace(worker, siblings=()) for worker in workers]
        return Plan(
            processes=self._processes(workers),
            threads_per_worker=threads,
            cores=self.at_a_time,
            pinning=pinning,
            spin=count * threads <= self._cores(),
            steal_order=self._steal_order(workers),
            idle=self._idle(workers) if pinning == "cores" else (),
            machine=self.machine.line(),
            limits=tuple(f"{what} {said}" for what, said in self._limited()),
            notes=tuple(self.notes),
        )

    def _limited(self) -> list[tuple[str, str]]:
        return self.limits.rows() if self.limits.by else []

    def _cores(self) -> int:
        """Cores that can be used at a time, siblings apart."""
        cores = rooms_of(self.machine, self.limits.cpus, use_smt=False)
        return min(self.limits.whole_cpus, sum(len(room.seats) for room in cores))

    def _capacity(self, threads: int) -> int:
        """Teams of that size that run side by side."""
        places = sum(room.teams(threads) for room in self.rooms)
        return min(places, max(1, self.at_a_time // threads))

    def _affordable(self) -> int | None:
        """Workers that memory holds; None where nothing is known of it or of them."""
        memory, each = self.limits.memory_bytes, self.wishes.bytes_per_worker
        return None if memory is None or each is None else max(1, memory // each)

    def _threads(self) -> int:
        asked = self.wishes.threads
        if asked is None:
            return self._threads_by_default()
        largest = max(len(room.seats) for room in self.rooms)
        if asked > largest:
            raise ArgumentError(
                f"threads_per_worker={asked} is more than the {largest} usable cores of a cache "
                f"group, which no team spans; use at most {largest}, and more workers"
            )
        if asked > self.limits.whole_cpus:
            self.notes.append(self._refused(f"{asked} threads per worker", self.limits.whole_cpus))
        return min(asked, self.limits.whole_cpus)

    def _threads_by_default(self) -> int:
        """One thread, unless that would leave cores to nobody."""
        sizes = team_sizes_of(self.rooms, self.at_a_time)
        asked, affordable = self.wishes.workers, self._affordable()
        if asked is not None:
            count = asked if affordable is None else min(asked, affordable)
            return max((t for t in sizes if self._capacity(t) >= count), default=1)
        if affordable is None or affordable >= self._capacity(1):
            return 1
        self.notes.append(self._held(affordable, f"{self._capacity(1)} workers"))
        return max(sizes, key=lambda t: (min(affordable, self._capacity(t)) * t, -t))

    def _count(self, threads: int) -> int:
        asked, affordable = self.wishes.workers, self._affordable()
        count = self._capacity(threads) if asked is None else asked
        allowed = max(1, self.limits.whole_cpus // threads)
        if self.has_quota and count > allowed:
            self.notes.append(self._refused(f"{count} workers", allowed))
            count = allowed
        if affordable is not None and affordable < count:
            if asked is not None or self.wishes.threads is not None:  # otherwise it is said already
                self.notes.append(self._held(affordable, f"{count} workers"))
            count = affordable
        return count

    def _held(self, affordable: int, wanted: str) -> str:
        memory, each = self.limits.memory_bytes or 0, self.wishes.bytes_per_worker or 0
        sizes = f"{memory / 2**30:.1f} GiB, {each / 2**30:.2f} GiB each"
        return f"memory holds {affordable} of {wanted} ({sizes})"

    def _refused(self, asked: str, allowed: int) -> str:
        return f"{asked} were asked for, a quota of {self.limits.quota:g} CPUs allows {allowed}"

    def _pinning(self, count: int, threads: int) -> Pinning:
        """Cores of their own where that makes all teams that fit.

        Who leaves some unused does not know who else uses them, and who has more workers than
        cores leaves it to the kernel which of them run.
        """
        places = sum(room.teams(threads) for room in self.rooms)
        if count == places:
            return "cores"
        if threads > 1 or count > places or self.wishes.processes == "l3":
            return "group"
        return "node" if count >= len({room.node for room in self.rooms}) else "none"

    def _processes(self, workers: list[WorkerPlan]) -> tuple[ProcessPlan, ...]:
        parts: dict[tuple[int | None, ...], list[WorkerPlan]] = {}
        for worker in workers:
            by_node, by_group = (worker.node,), (worker.node, worker.l3)
            keys = {"auto": by_node, "node": by_node, "l3": by_group, "one": ()}
            parts.setdefault(keys[self.wishes.processes], []).append(worker)
        return tuple(ProcessPlan(tuple(part)) for part in parts.values())

    def _steal_order(self, workers: list[WorkerPlan]) -> dict[int, tuple[int, ...]]:
        nodes = sorted({worker.node for worker in workers if worker.node is not None})
        return {
            node: tuple(other for other in self.machine.nearest(node) if other in nodes)
            for node in nodes
        }

    def _note_threads(self, planned: int) -> None:
        allowed = self.limits.threads
        if allowed is not None and planned > allowed:
            self.notes.append(
                f"arguments ask for {planned} threads, {THREADS} for {allowed}: arguments count"
            )

    def _note_far_memory(self, workers: list[WorkerPlan]) -> None:
        nodes = {worker.node for worker in workers if worker.node is not None}
        far = sorted(nodes - set(self.limits.nodes))
        if far:
            self.notes.append(
                f"memory of node {format_cpus(far)} may not be used: it comes from far"
            )

    def _idle(self, workers: list[WorkerPlan]) -> tuple[int, ...]:
        taken = {cpu for worker in workers for cpu in worker.cpus}
        return tuple(sorted(cpu for room in self.rooms for cpu in room.seats if cpu not in taken))
