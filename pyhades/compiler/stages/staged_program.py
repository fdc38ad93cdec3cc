"""A network that runs in stages."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pyhades import _native
from pyhades.compiler.build import names_in_file, names_of_content
from pyhades.compiler.face import Feeds, Program, checked_feeds
from pyhades.compiler.listing import Line
from pyhades.compiler.runnable import Memory
from pyhades.compiler.stages.engine import Engine
from pyhades.compiler.stages.lines import line_of
from pyhades.compiler.stages.run import DumpingRun, Run, TracedRun
from pyhades.compiler.stages.stage import Stage
from pyhades.compiler.trace import Trace
from pyhades.compiler.view import Array
from pyhades.ir.graph import Graph, TensorType, Value
from pyhades.ir.shapes import UNKNOWN
from pyhades.options import EngineOptions


class StagedProgram(Program):
    """A network whose sizes, or whose course, depend on data.

    What can be compiled at once is its first stage. The others are compiled for what the stages
    before them find, and kept for the next call that finds the same; ``lines`` lists those that
    are kept. The extents of its outputs are those of the data.

    Attributes
    ----------
    name, source, inputs, outputs, threads, isa, lines
        As of :class:`Program`.
    """

    title = "StagedProgram"

    def __init__(
        self,
        graph: Graph,
        folded: Graph,
        options: EngineOptions,
        arguments: Mapping[str, Any],
    ) -> None:
        self.name, self.source = graph.name, graph.source
        self.threads = options.threads_used
        self.isa = _native.tier_name(options.isa)
        self._arguments = arguments
        folded.inputs = [value for value in folded.inputs if value.data is None]
        self._inputs = {value.name: _known(value.type) for value in folded.inputs}
        self._outputs = {
            value.name: _output_type(value, declared)
            for value, declared in zip(folded.outputs, graph.outputs, strict=True)
        }
        names = names_in_file(graph)
        self._kept = graph if names else None  # names go by ids of arrays, which have to stay
        self._engine = Engine(options, arguments, names)
        self._first = Stage(folded, self._engine, "", range(len(folded.outputs)))
        for later in self._first.later():
            names.update(names_of_content(later.graph))

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the network: see :meth:`Program.run`."""
        return self._run(feeds, Run(self._engine))

    def trace(self, feeds: Feeds) -> Trace:
        """Run once and time every instruction of every stage that the data lead to."""
        feeds = self._feeds(feeds)
        self.run(feeds)  # compiles what is new
        run = TracedRun(self._engine)
        self._run(feeds, run)
        return Trace.of(
            replace(traced, line=replace(traced.line, index=index))
            for index, traced in enumerate(run.lines)
        )

    def dump(self, feeds: Feeds, pattern: str = "*") -> dict[str, Array]:
        """Run, and return the intermediate values whose names match ``pattern``."""
        self._require_kept()
        run = DumpingRun(self._engine)
        self._run(self._feeds(feeds), run)
        return {n: x for n, x in run.values.items() if fnmatch.fnmatchcase(n, pattern)}

    @property
    def inputs(self) -> dict[str, TensorType]:
        """Shape and dtype of each input."""
        return dict(self._inputs)

    @property
    def outputs(self) -> dict[str, TensorType]:
        """Shape and dtype of each output; extents that depend on data have names."""
        return dict(self._outputs)

    @property
    def stages(self) -> list[tuple[str, list[Line]]]:
        """The stages that are kept: where in the network each is, and its lines."""
        return [(stage.place or "1", _lines(stage)) for stage in self._stages()]

    @property
    def lines(self) -> list[Line]:
        """The listing of all stages that are kept."""
        everything = [line for _, lines in self.stages for line in lines]
        return [replace(line, index=index) for index, line in enumerate(everything)]

    @property
    def flops(self) -> float:
        """Floating-point operations of the largest stages that are kept."""
        largest: dict[str, float] = {}
        for place, lines in self.stages:
            largest[place] = max(largest.get(place, 0.0), sum(line.flops for line in lines))
        return sum(largest.values())

    @property
    def memory(self) -> Memory:
        """What the stages that are kept allocate; constants that several use count in each."""
        parts = [stage.part.memory for stage in self._stages() if stage.part is not None]
        return Memory(sum(part.arena for part in parts), sum(part.constants for part in parts))

    def cancel(self) -> None:
        """Stop the runs that other threads have begun, each after its current instruction."""
        self._engine.cancellations += 1
        for stage in self._stages():
            if stage.part is not None:
                stage.part.cancel()

    def close(self) -> None:
        """Free the arenas. The program cannot run afterwards."""
        self._engine.is_closed = True
        for stage in self._stages():
            if stage.part is not None:
                stage.part.close()
        self._engine.shelf.clear()

    def _run(self, feeds: Mapping[str, Array], run: Run) -> dict[str, Array]:
        arrays = list(checked_feeds(self.name, self._inputs, feeds).values())
        results = run.stages(self._first, arrays)
        return dict(zip(self._outputs, _owned(results, arrays), strict=True))

    def _stages(self) -> list[Stage]:
        return [self._first, *self._engine.shelf.all()]

    def _rows(self) -> list[list[str]]:
        header, *rows = super()._rows()
        result, row = [header], iter(rows)
        for place, lines in self.stages:
            result.append(["", f"stage {place}", "", "", "", ""])
            result += [next(row) for _ in lines]
        return result


def _lines(stage: Stage) -> list[Line]:
    native = [] if stage.part is None else stage.part.lines
    return [*native, *(line_of(node) for node in stage.host)]


def _known(kind: TensorType | None) -> TensorType:
    assert kind is not None
    return kind


def _output_type(value: Value, declared: Value) -> TensorType:
    """The type of an output; unknown extents get the names that the graph declares, or new ones."""
    kind = value.type or declared.type
    if kind is None:
        return TensorType(np.dtype(object), None)
    if kind.shape is None:
        return kind
    said = declared.type.shape if declared.type is not None else None
    if said is None or len(said) != len(kind.shape):
        said = (UNKNOWN,) * len(kind.shape)
    extents = [
        have if have != UNKNOWN else name if name != UNKNOWN else f"{value.name}_{axis}"
        for axis, (have, name) in enumerate(zip(kind.shape, said, strict=True))
    ]
    return TensorType(kind.dtype, tuple(extents))


def _owned(results: Sequence[Array], feeds: Sequence[Array]) -> list[Array]:
    """Arrays of which none shares memory with an input, with a constant or with another."""
    owned: list[Array] = []
    for array in results:
        # A view may be one of a constant, which Python has reshaped, say.
        is_free = array.base is None and array.flags.writeable and array.flags.c_contiguous
        if not is_free or any(np.may_share_memory(array, x) for x in (*feeds, *owned)):
            array = np.array(array, order="C")
        owned.append(array)
    return owned
