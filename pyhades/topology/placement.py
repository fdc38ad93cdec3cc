"""Spreads workers over the rooms of a machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pyhades.topology.plan import Pinning, WorkerPlan
from pyhades.topology.rooms import Room


def place_workers(
    rooms: list[Room], count: int, threads: int, pinning: Pinning
) -> list[WorkerPlan]:
    """Workers in the order of the rooms; more than fit are spread as evenly."""
    counts = _spread(rooms, count, threads)
    return [
        _worker(rooms, room, k, threads, pinning)
        for index, room in enumerate(rooms)
        for k in range(counts[index])
    ]


def _spread(rooms: list[Room], count: int, threads: int) -> Counter[int]:
    """Workers of every room, by index: nodes are filled evenly, and rooms within them."""
    places = {i: room.teams(threads) for i, room in enumerate(rooms) if room.teams(threads)}
    of_node: Counter[int] = Counter()
    for index, teams in places.items():
        of_node[rooms[index].node] += teams
    counts: Counter[int] = Counter()
    on_node: Counter[int] = Counter()
    for _ in range(count):
        node = min(of_node, key=lambda n: ((on_node[n] + 1) / of_node[n], n))
        here = [index for index in places if rooms[index].node == node]
        index = min(here, key=lambda i: ((counts[i] + 1) / places[i], i))
        counts[index] += 1
        on_node[node] += 1
    return counts


def _worker(rooms: list[Room], room: Room, k: int, threads: int, pinning: Pinning) -> WorkerPlan:
    if pinning == "cores":
        return WorkerPlan(*_of_team(room, k, threads))
    reach = {
        "group": [room],
        "node": [other for other in rooms if other.node == room.node],
        "none": rooms,
    }[pinning]
    nodes, groups = {other.node for other in reach}, {other.group for other in reach}
    return WorkerPlan(
        cpus=_sorted(other.seats for other in reach),
        node=room.node if len(nodes) == 1 else None,
        l3=room.group if len(groups) == 1 else None,
        siblings=_sorted(some for other in reach for some in other.siblings),
    )


def _of_team(room: Room, k: int, threads: int) -> tuple[tuple[int, ...], int, int, tuple[int, ...]]:
    """The ``k``-th team of a room."""
    chosen = slice(k * threads, (k + 1) * threads)
    return room.seats[chosen], room.node, room.group, _sorted(room.siblings[chosen])


def _sorted(lists: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(sorted(number for numbers in lists for number in numbers))
