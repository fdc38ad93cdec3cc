"""What both front doors end in: a native program, with all that running it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from pyhades.compiler.build import Built
from pyhades.compiler.contexts import ContextPool
from pyhades.compiler.instruction import Lowered
from pyhades.compiler.listing import Line, as_html, as_table, listing
from pyhades.compiler.memory import MemoryPlan
from pyhades.compiler.trace import Trace
from pyhades.compiler.view import Array, View

Bindings = Mapping[int, Array]
"""The buffer of every io slot."""


@dataclass(frozen=True)
class Memory:
    """Bytes that a program needs: its arena (per concurrent call) and its packed constants."""

    arena: int
    constants: int

    def __str__(self) -> str:
        return f"arena {self.arena / 1e6:.1f} MB, constants {self.constants / 1e6:.1f} MB"


class Executable:
    """A native program with its contexts, listing and traces.

    A front door adds what its callers bind: :class:`~pyhades.compiler.program.Program` takes the
    inputs of a graph and makes arrays for its outputs, :class:`~pyhades.compiler.assembly.Routine`
    works on the caller's buffers. Calls may come from any thread.
    """

    def __init__(self, name: str, lowered: Lowered, built: Built, threads: int) -> None:
        self.name = name
        self.threads = threads
        self.isa: str = built.native.isa
        self.lines: list[Line] = listing(lowered, built.native)
        self._native = built.native
        self._contexts = ContextPool(built.native, threads)

    @property
    def flops(self) -> float:
        """Floating-point operations of the largest run; a multiply-add is two."""
        return sum(line.flops for line in self.lines)

    @property
    def memory(self) -> Memory:
        """What the program allocates."""
        return Memory(self._native.arena_bytes, self._native.constant_bytes)

    def cancel(self) -> None:
        """Stop the runs that other threads have begun, each after its current instruction."""
        self._contexts.cancel()

    def close(self) -> None:
        """Free the arenas. The program cannot run afterwards."""
        self._contexts.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

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

    def __repr__(self) -> str:
        most = "up to " if any(line.is_most for line in self.lines) else ""
        return (
            f"{type(self).__name__}({self.name}: {len(self.lines)} instructions, "
            f"{most}{self.flops / 1e9:.2f} GFLOP, {self.memory}, {self.isa}, "
            f"{self.threads} threads)"
        )

    def __str__(self) -> str:
        return f"{self!r}\n{as_table(self._rows(), right=(0, 3))}"

    def _repr_html_(self) -> str:
        return as_html(self._rows())

    def _rows(self) -> list[list[str]]:
        rows = [["#", "op", "operands", "MFLOP", "kernel", "label"]]
        rows += [
            [str(line.index), line.op, line.operands, line.mflop, line.kernel, line.label]
            for line in self.lines
        ]
        return rows


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
