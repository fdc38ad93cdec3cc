"""One step of a language model as a native program.

A step takes some tokens of some sequences at once: a piece of a prompt, the next token of each of a
batch, or both. Its sizes change from call to call, so the program is built for maxima, and every
operator reads the number of rows that are in use from a vector bound per call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from pyhades import _native
from pyhades.compiler.build import build
from pyhades.compiler.contexts import ContextPool
from pyhades.compiler.instruction import Instruction, Lowered
from pyhades.compiler.listing import Line, as_html, as_table, listing
from pyhades.compiler.memory import MemoryPlan, plan_memory
from pyhades.compiler.trace import Trace
from pyhades.compiler.view import Array, Buffer, View, dense_strides
from pyhades.errors import ArgumentError


@dataclass(frozen=True)
class Limits:
    """The largest step that a program takes."""

    tokens: int
    sequences: int
    wanted: int
    """Rows of logits."""


class StepBuilder:
    """Collects the operators of a step.

    Every method that computes returns a :class:`View` of its result, whose memory is planned when
    the step is built.
    """

    def __init__(self, name: str, limits: Limits) -> None:
        self.name = name
        self.limits = limits
        self._instructions: list[Instruction] = []
        self._bound: dict[str, View] = {}
        self._residents: dict[int, View] = {}
        self._path: list[str] = []

    def bound(self, name: str, shape: Sequence[int], dtype: DTypeLike) -> View:
        """A buffer that the caller binds to each step, by name."""
        view = _dense(Buffer("io", name, _nbytes(shape, dtype)), shape, dtype)
        self._bound[name] = view
        return view

    def resident(self, array: Array) -> View:
        """Weights that the kernels read where they lie."""
        if id(array) not in self._residents:
            name = f"{'.'.join(self._path)}#{len(self._residents)}"
            buffer = Buffer("constant", name, array.nbytes, array, is_resident=True)
            self._residents[id(array)] = _dense(buffer, array.shape, array.dtype)
        return self._residents[id(array)]

    def scratch(self, shape: Sequence[int], dtype: DTypeLike = np.float32) -> View:
        """Memory for a result, from the arena."""
        return _dense(Buffer("arena", self._label(""), _nbytes(shape, dtype)), shape, dtype)

    def emit(
        self,
        op: str,
        inputs: Sequence[View | None],
        outputs: Sequence[View | None],
        label: str,
        **attributes: Any,
    ) -> None:
        """Append a native operator; see docs/reference/native_operators.md."""
        self._instructions.append(
            Instruction(op, list(inputs), list(outputs), attributes, self._label(label))
        )

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Labels inside the block begin with ``name``, like module paths of a checkpoint."""
        self._path.append(name)
        try:
            yield
        finally:
            self._path.pop()

    def build(self, threads: int, isa: str | None = None, keep_all: bool = False) -> Step:
        """Plan the memory and bind the kernels."""
        lowered = Lowered(self._instructions, self._bound, [], {})
        plan = plan_memory(lowered, keep_all)
        built = build(lowered, plan, self.name, isa)
        bound = {name: (built.slots[view.buffer], view) for name, view in self._bound.items()}
        lines = listing(lowered, built.native)
        kept = _matrix_inputs(lowered, plan) if keep_all else {}
        return Step(self.name, self.limits, lines, built.native, bound, threads, kept)

    def _label(self, label: str) -> str:
        return ".".join([*self._path, label]) if label else ".".join(self._path)


class Step:
    """A step, ready to run; made by :meth:`StepBuilder.build`."""

    def __init__(
        self,
        name: str,
        limits: Limits,
        lines: list[Line],
        native: _native.Program,
        bound: dict[str, tuple[int, View]],
        threads: int,
        kept: Mapping[str, tuple[int, View]] | None = None,
    ) -> None:
        self.name = name
        self.limits = limits
        self.lines = lines
        self.threads = threads
        self.isa = native.isa
        self._native = native
        self._bound = bound
        self._kept = kept or {}
        self._contexts = ContextPool(native, threads)
        self._running: _native.Context | None = None

    def run(self, feeds: Mapping[str, Array]) -> None:
        """Run once on buffers that have the dtypes of the step and at least its sizes.

        Raises
        ------
        CancelledError
            :meth:`cancel` was called meanwhile; what the step writes is undefined.
        """
        bindings = self._bind(feeds)
        with self._contexts.lend() as context:
            self._running = context
            try:
                context.run(bindings)
            finally:
                self._running = None

    def matrix_inputs(self, labels: Iterable[str]) -> dict[str, Array]:
        """What entered the matrix products of those labels in the last run, as rows.

        Raises
        ------
        ArgumentError
            There is no such product, or the step was not built with ``keep_all``.
        """
        read = {}
        with self._contexts.lend() as context:
            for label in labels:
                if label not in self._kept:
                    raise ArgumentError(f"{self.name} keeps no input of a product {label!r}")
                offset, view = self._kept[label]
                read[label] = np.ndarray(view.shape, view.dtype, context.arena, offset).copy()
        return read

    def trace(self, feeds: Mapping[str, Array]) -> Trace:
        """Run once and time every instruction."""
        with self._contexts.lend() as context:
            return Trace(self.lines, context.trace(self._bind(feeds)))

    def cancel(self) -> None:
        """Stop a run that another thread has begun, within an instruction."""
        context = self._running
        if context is not None:
            context.cancel()

    def close(self) -> None:
        """Free the arena."""
        self._contexts.close()

    @property
    def arena_bytes(self) -> int:
        """Size of the arena."""
        return self._native.arena_bytes

    def _bind(self, feeds: Mapping[str, Array]) -> dict[int, Array]:
        if feeds.keys() != self._bound.keys():
            difference = ", ".join(sorted(feeds.keys() ^ self._bound.keys()))
            raise ArgumentError(f"{self.name}: bindings missing or unknown: {difference}")
        bindings = {}
        for name, (slot, view) in self._bound.items():
            array = feeds[name]
            if array.dtype != view.dtype or not array.flags.c_contiguous:
                raise ArgumentError(
                    f"{self.name}: {name} must be C-contiguous {view.dtype.name}, "
                    f"it is {array.dtype.name}"
                )
            bindings[slot] = array
        return bindings

    def __repr__(self) -> str:
        return (
            f"Step({self.name}: {len(self.lines)} instructions, up to {self.limits.tokens} tokens, "
            f"arena {self.arena_bytes / 1e6:.1f} MB, {self.isa}, {self.threads} threads)"
        )

    def __str__(self) -> str:
        return f"{self!r}\n{as_table(self._rows(), right=(0,))}"

    def _repr_html_(self) -> str:
        return as_html(self._rows())

    def _rows(self) -> list[list[str]]:
        rows = [["#", "op", "operands", "kernel", "label"]]
        rows += [[str(x.index), x.op, x.operands, x.kernel, x.label] for x in self.lines]
        return rows


def _matrix_inputs(lowered: Lowered, plan: MemoryPlan) -> dict[str, tuple[int, View]]:
    """Label of a matrix product to the place of its rows in the arena."""
    products = {x.label: x.inputs[1] for x in lowered.instructions if x.op == "qgemm"}
    return {label: (plan.offsets[v.buffer], v) for label, v in products.items() if v is not None}


def _nbytes(shape: Sequence[int], dtype: DTypeLike) -> int:
    return int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize


def _dense(buffer: Buffer, shape: Sequence[int], dtype: DTypeLike) -> View:
    return View(buffer, np.dtype(dtype), tuple(shape), dense_strides(shape))
