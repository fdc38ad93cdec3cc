"""The memory plan: an offset in the arena for every buffer, by lifetime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyhades.compiler.instruction import Instruction, Lowered
from pyhades.compiler.view import Buffer, View

ALIGNMENT = 64


@dataclass(frozen=True)
class Lifetime:
    """A piece of the arena and the first and last instruction that touch it."""

    first: int
    last: int
    nbytes: int

    def overlaps(self, other: Lifetime) -> bool:
        """Whether both are alive at some instruction."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class MemoryPlan:
    """Offsets in bytes of the arena buffers."""

    offsets: dict[Buffer, int]
    arena_bytes: int
    shared: dict[Buffer, Buffer]
    """Buffers that took over the memory of another, in place."""


def plan_memory(lowered: Lowered, keep_all: bool = False) -> MemoryPlan:
    """Assign offsets; with ``keep_all`` no two buffers share memory.

    Buffers are placed by size, largest first, each into the smallest gap among those that live at
    the same time. An output takes over the memory of an input that dies at the instruction if the
    kernel allows it and both cover their buffers in the same way.
    """
    touched: dict[Buffer, tuple[int, int]] = {}
    for index, instruction in enumerate(lowered.instructions):
        for view in instruction.views():
            if view.buffer.kind == "arena":
                first, _ = touched.get(view.buffer, (index, index))
                touched[view.buffer] = (first, index)
    if keep_all:
        return _one_after_another(list(touched))
    shared: dict[Buffer, Buffer] = {}
    for index, instruction in enumerate(lowered.instructions):
        _share(index, instruction, touched, shared)
    lifetimes = {
        buffer: Lifetime(first, last, _aligned(buffer.nbytes))
        for buffer, (first, last) in touched.items()
        if buffer not in shared
    }
    offsets = place(lifetimes)
    for buffer in shared:
        offsets[buffer] = offsets[_root(buffer, shared)]
    total = max((offsets[b] + lifetimes[b].nbytes for b in lifetimes), default=0)
    return MemoryPlan(offsets, total, shared)


def place(lifetimes: dict[Buffer, Lifetime]) -> dict[Buffer, int]:
    """Offsets such that buffers which live at the same time do not overlap."""
    offsets: dict[Buffer, int] = {}
    by_size = sorted(
        lifetimes, key=lambda buffer: (-lifetimes[buffer].nbytes, lifetimes[buffer].first)
    )
    for buffer in by_size:
        mine = lifetimes[buffer]
        taken = sorted(
            (offsets[other], offsets[other] + lifetimes[other].nbytes)
            for other in offsets
            if lifetimes[other].overlaps(mine)
        )
        offsets[buffer] = _smallest_gap(taken, mine.nbytes)
    return offsets


def _smallest_gap(taken: Sequence[tuple[int, int]], nbytes: int) -> int:
    """Start of the tightest gap between ``taken`` that holds ``nbytes``, else the end."""
    best, best_room, end = -1, 0, 0
    for start, stop in taken:
        room = start - end
        if room >= nbytes and (best < 0 or room < best_room):
            best, best_room = end, room
        end = max(end, stop)
    return end if best < 0 else best


def _share(
    index: int,
    instruction: Instruction,
    touched: dict[Buffer, tuple[int, int]],
    shared: dict[Buffer, Buffer],
) -> None:
    """Let the output take over the memory of an input that nothing needs any more."""
    output = instruction.outputs[0] if instruction.outputs else None
    if output is None or output.buffer.kind != "arena" or touched[output.buffer][0] != index:
        return
    for position in instruction.in_place:
        source = instruction.inputs[position]
        if source is None or source.buffer.kind != "arena":
            continue
        root = _root(source.buffer, shared)
        if touched[root][1] != index or not _cover_alike(source, output):
            continue
        if root.nbytes < output.buffer.nbytes:
            continue
        shared[output.buffer] = root
        touched[root] = (touched[root][0], touched[output.buffer][1])
        return


def _cover_alike(source: View, output: View) -> bool:
    """Whether each element of ``output`` has the place of its counterpart in ``source``."""
    same = source.shape == output.shape and source.strides == output.strides
    return same and source.offset == output.offset and source.dtype == output.dtype


def _root(buffer: Buffer, shared: dict[Buffer, Buffer]) -> Buffer:
    while buffer in shared:
        buffer = shared[buffer]
    return buffer


def _one_after_another(buffers: Sequence[Buffer]) -> MemoryPlan:
    offsets: dict[Buffer, int] = {}
    end = 0
    for buffer in buffers:
        offsets[buffer] = end
        end += _aligned(buffer.nbytes)
    return MemoryPlan(offsets, end, {})


def _aligned(nbytes: int) -> int:
    return -(-max(nbytes, 1) // ALIGNMENT) * ALIGNMENT
