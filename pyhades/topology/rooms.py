"""The places that teams can be given: usable cores of every cache group, in order."""

from __future__ import annotations

from dataclasses import dataclass

from pyhades.topology.machine import Machine


@dataclass(frozen=True)
class Room:
    """Usable cores of one cache group.

    Attributes
    ----------
    seats
        A CPU per thread that can run at full speed: one of each core, or all where siblings take
        part.
    siblings
        For every seat the other usable CPUs of its core; empty where they are seats themselves.
    """

    group: int
    node: int
    seats: tuple[int, ...]
    siblings: tuple[tuple[int, ...], ...]

    def teams(self, threads: int) -> int:
        """How many teams of that size it holds side by side."""
        return len(self.seats) // threads


def rooms_of(machine: Machine, allowed: tuple[int, ...], use_smt: bool) -> list[Room]:
    """The rooms of a machine in which at least one CPU is allowed."""
    usable = set(allowed)
    rooms = []
    for group in machine.groups:
        cores = [core for core in machine.cores if core.group == group.number]
        cpus = [tuple(cpu for cpu in core.cpus if cpu in usable) for core in cores]
        cpus = [one for one in cpus if one]
        if use_smt:
            cpus = [(cpu,) for one in cpus for cpu in one]
        if cpus:
            seats = tuple(one[0] for one in cpus)
            rooms.append(Room(group.number, group.node, seats, tuple(one[1:] for one in cpus)))
    return rooms


def team_sizes_of(rooms: list[Room], most: int) -> tuple[int, ...]:
    """Sizes that divide the largest room and are at most ``most``."""
    largest = max(len(room.seats) for room in rooms)
    return tuple(t for t in range(1, min(largest, most) + 1) if largest % t == 0)
