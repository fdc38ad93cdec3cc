"""What both front doors end in: a native program, with all that running it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from pyhades import _native
from pyhades.compiler.build import Built
from pyhades.compiler.contexts import ContextPool
from pyhades.compiler.instruction import Lowered
from pyhades.compiler.listing import Line, listing
from pyhades.compiler.memory import MemoryPlan
from pyhades.compiler.runnable import Memory, Runnable
from pyhades.compiler.trace import Trace
from pyhades.compiler.view import Array, View

Bindings = Mapping[int, Array]
"""The buffer of every io slot."""


class Executable(Runnable):
    """A native program with its contexts, listing and traces.

    A front door adds what its callers bind: :class:`~pyhades.compiler.native.NativeProgram` takes
    the inputs of a graph and makes arrays for its outputs,
    :class:`~pyhades.compiler.assembly.Routine` works on the caller's buffers. Calls may come from
    any thread.
    """

    def __init__(self, name: str, lowered: Lowered, built: Built, threads: int) -> None:
        self.name = name
        self.threads = threads
        self.isa: str = built.native.isa
        self._lines = listing(lowered, built.native)
        self._native = built.native
        self._contexts = ContextPool(built.native, threads)

    @property
    def lines(self) -> list[Line]:
        """The listing: one :class:`~pyhades.compiler.listing.Line` per instruction."""
        return self._lines

    @property
    def memory(self) -> Memory:
        """What the program allocates."""
        return Memory(self._native.arena_bytes, self._native.constant_bytes)

    def session(self, *, threads: int | None = None) -> Self:
        """The same program with an arena and threads of its own, for one caller at a time.

        Weights are shared. What is begun elsewhere does not hold it up; closing or cancelling it
        does not touch the others. Its threads start at the first run, and use the CPUs that the
        thread which runs it may use.

        Parameters
        ----------
        threads
            By default those of the program.
        """
        other = object.__new__(type(self))  # copy.copy() would compile the file again
        vars(other).update(vars(self))
        other.threads = self.threads if threads is None else threads
        team = _native.Team(other.threads)
        other._contexts = ContextPool(self._native, other.threads, team)
        return other

    def cancel(self) -> None:
        """Stop the runs that other threads have begun, each after its current instruction."""
        self._contexts.cancel()

    def close(self) -> None:
        """Free the arenas. The program cannot run afterwards."""
        self._contexts.close()

    def _run(self, bindings: Bindings) -> None:
        with self._contexts.lend() as context:
            context.run(bindings)

    def _trace(self, bindings: Bindings, *, warm_up: bool) -> Trace:
        with self._contexts.lend() as context:
            if warm_up:
                context.run(bindings)
            return Trace(self.lines, context.trace(bindings))

    def _read(
        self, places: Mapping[str, Kept], bindings: Bindings | None = None
    ) -> dict[str, Array]:
        """Copies of values in the arena: of a run on ``bindings``, or of the last one."""
        with self._contexts.lend() as context:
            if bindings is not None:
                context.run(bindings)
            return {name: kept.read(context.arena) for name, kept in places.items()}


@dataclass(frozen=True)
class Kept:
    """Where a value lies in the arena of a program that keeps it."""

    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    final_shape: tuple[int, ...]

    @classmethod
    def at(cls, view: View, plan: MemoryPlan, final_shape: Sequence[int] | None = None) -> Kept:
        """The place of ``view``, which is read as an array of ``final_shape``."""
        size = view.dtype.itemsize
        offset = plan.offsets[view.buffer] + view.offset * size
        strides = tuple(stride * size for stride in view.strides)
        final = view.shape if final_shape is None else tuple(final_shape)
        return cls(offset, view.dtype, view.shape, strides, final)

    def read(self, arena: memoryview) -> Array:
        """A copy of the value."""
        if 0 in self.shape:
            return np.empty(self.final_shape, self.dtype)
        seen = np.ndarray(self.shape, self.dtype, arena, self.offset, self.strides)
        return np.array(seen, order="C").reshape(self.final_shape)
