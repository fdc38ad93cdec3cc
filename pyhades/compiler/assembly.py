"""The assembly door: native operators written down one by one, without a graph.

For networks whose operators no graph format has, and whose sizes change from call to call: a
routine is built for maxima, and its operators read how much is in use from buffers bound per call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from pyhades.compiler.build import Built, build
from pyhades.compiler.executable import Executable, Kept
from pyhades.compiler.instruction import Instruction, Lowered
from pyhades.compiler.memory import MemoryPlan, plan_memory
from pyhades.compiler.trace import Trace
from pyhades.compiler.view import Array, Buffer, View, dense_strides
from pyhades.config import thread_count
from pyhades.dtypes import as_dtype
from pyhades.errors import ArgumentError


class Assembly:
    """Collects native operators, in the order in which they run.

    Operands are views: of buffers that the caller binds to each run, of resident weights, or of
    scratch memory, which is planned when the routine is built.

    Parameters
    ----------
    name
        What errors and listings call it.

    Examples
    --------
    >>> import numpy as np
    >>> from pyhades.compiler.assembly import Assembly
    >>> assembly = Assembly("twice normalised")
    >>> x = assembly.bound("x", (2, 64), np.float32)
    >>> between = assembly.scratch((2, 64))
    >>> assembly.emit("rms_norm", [x, None, None], [between], "first")
    >>> assembly.emit("rms_norm", [between, None, None], [x], "second")
    >>> routine = assembly.build(threads=1)
    >>> feeds = {"x": np.full((2, 64), 3, np.float32)}
    >>> routine.run(feeds)
    >>> float(feeds["x"].max().round(3))
    1.0
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._instructions: list[Instruction] = []
        self._bound: dict[str, View] = {}
        self._residents: dict[int, View] = {}
        self._path: list[str] = []

    def bound(self, name: str, shape: Sequence[int], dtype: DTypeLike) -> View:
        """A buffer that the caller binds to each run, by name."""
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

    def build(
        self, *, threads: int | None = None, isa: str | None = None, keep_all: bool = False
    ) -> Routine:
        """Plan the memory and bind the kernels; the arguments are those of ``compile``."""
        count = thread_count(threads).count
        lowered = Lowered(self._instructions, self._bound, [], {})
        plan = plan_memory(lowered, keep_all)
        built = build(lowered, plan, self.name, isa)
        kept = _matrix_inputs(lowered, plan) if keep_all else {}
        return Routine(self.name, lowered, built, count, kept)

    def _label(self, label: str) -> str:
        return ".".join([*self._path, label]) if label else ".".join(self._path)


class Routine(Executable):
    """An assembly, ready to run on the caller's buffers; made by :meth:`Assembly.build`."""

    title = "Routine"

    def __init__(
        self,
        name: str,
        lowered: Lowered,
        built: Built,
        threads: int,
        kept: Mapping[str, Kept],
    ) -> None:
        super().__init__(name, lowered, built, threads)
        self._bound = {n: (built.slots[view.buffer], view) for n, view in lowered.inputs.items()}
        self._kept = kept

    def run(self, feeds: Mapping[str, Array]) -> None:
        """Run once on buffers that have the dtypes of the assembly and at least its sizes.

        Raises
        ------
        ArgumentError
            A buffer is missing, unknown, too small, of another dtype or not contiguous.
        CancelledError
            :meth:`cancel` was called meanwhile; what the run writes is undefined.
        """
        self._run(self._bind(feeds))

    def trace(self, feeds: Mapping[str, Array]) -> Trace:
        """Run once and time every instruction."""
        return self._trace(self._bind(feeds), warm_up=False)

    def matrix_inputs(self, labels: Iterable[str]) -> dict[str, Array]:
        """What entered the matrix products of those labels in the last run, as rows.

        Raises
        ------
        ArgumentError
            There is no such product, or the routine was not built with ``keep_all``.
        """
        places = {}
        for label in labels:
            if label not in self._kept:
                raise ArgumentError(f"{self.name} keeps no input of a product {label!r}")
            places[label] = self._kept[label]
        return self._read(places)

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


def _matrix_inputs(lowered: Lowered, plan: MemoryPlan) -> dict[str, Kept]:
    """Label of a matrix product to the place of its rows in the arena."""
    products = {x.label: x.inputs[1] for x in lowered.instructions if x.op == "qgemm"}
    return {label: Kept.at(view, plan) for label, view in products.items() if view is not None}


def _nbytes(shape: Sequence[int], dtype: DTypeLike) -> int:
    return int(np.prod(shape, dtype=np.int64)) * as_dtype(dtype).itemsize


def _dense(buffer: Buffer, shape: Sequence[int], dtype: DTypeLike) -> View:
    return View(buffer, as_dtype(dtype), tuple(shape), dense_strides(shape))
