"""A network whose shapes are all known: one native program."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

import numpy as np

from pyhades.compiler.build import Built, build, names_in_file, release_sources
from pyhades.compiler.executable import Executable, Kept
from pyhades.compiler.face import Feeds, Program, checked_feeds
from pyhades.compiler.instruction import Lowered
from pyhades.compiler.memory import MemoryPlan, plan_memory
from pyhades.compiler.placement import lower
from pyhades.compiler.trace import Trace
from pyhades.compiler.tuning import tune
from pyhades.compiler.view import Array
from pyhades.ir.graph import Graph, TensorType
from pyhades.options import EngineOptions
from pyhades.passes import optimise_folded


def compile_native(
    graph: Graph,
    options: EngineOptions,
    arguments: Mapping[str, Any],
    *,
    names: Mapping[int, str] | None = None,
    release: bool = True,
) -> NativeProgram:
    """Compile a graph all of whose types are static, its constants being folded.

    Parameters
    ----------
    graph
        What fold_constants returns.
    options
        Threads and tier.
    arguments
        Of :func:`pyhades.compile`, to compile again when the program is unpickled.
    names
        What identifies constants, by the id of their data; others are known by their content.
    release
        Give the memory that constants were packed from back to the system.
    """
    optimised = optimise_folded(graph, bfloat16=options.precision == "bf16")
    lowered = lower(optimised)
    if arguments["tune"]:
        tune(lowered, options)
    plan = plan_memory(lowered, bool(arguments["keep_all"]))
    known = names_in_file(graph) if names is None else names
    built = build(lowered, plan, graph.source or graph.name, options.isa, known)
    del optimised
    if release:
        release_sources(lowered, graph)
    return NativeProgram(graph, lowered, plan, built, options.threads_used, arguments)


class NativeProgram(Executable, Program):
    """One native program: every shape is known."""

    title = "Program"

    def __init__(
        self,
        graph: Graph,
        lowered: Lowered,
        plan: MemoryPlan,
        built: Built,
        threads: int,
        arguments: Mapping[str, Any],
    ) -> None:
        super().__init__(graph.name, lowered, built, threads)
        self.source = graph.source
        self._arguments = arguments
        names = [value.name for value in graph.outputs]
        self._slots = {name: built.slots[view.buffer] for name, view in lowered.inputs.items()}
        self._inputs = {n: TensorType(v.dtype, v.shape) for n, v in lowered.inputs.items()}
        self._outputs = [
            (name, built.slots[view.buffer], view)
            for name, view in zip(names, lowered.outputs, strict=True)
        ]
        self._values = _kept(lowered, plan) if arguments["keep_all"] else {}
        self._results: dict[str, Array] | None = None

    def session(self, *, threads: int | None = None) -> NativeProgram:
        """For one caller at a time: see :meth:`Program.session`."""
        other = super().session(threads=threads)
        other._results = self._new_results()
        return other

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the network: see :meth:`Program.run`."""
        bindings, results = self._bind(feeds)
        self._run(bindings)
        return results

    def trace(self, feeds: Feeds) -> Trace:
        """Run once and time every instruction."""
        return self._trace(self._bind(self._feeds(feeds))[0], warm_up=True)

    def dump(self, feeds: Feeds, pattern: str = "*") -> dict[str, Array]:
        """Run, and return the intermediate values whose names match ``pattern``."""
        self._require_kept()
        bindings, _ = self._bind(self._feeds(feeds))
        chosen = {n: v for n, v in self._values.items() if fnmatch.fnmatchcase(n, pattern)}
        return self._read(chosen, bindings)

    @property
    def inputs(self) -> dict[str, TensorType]:
        """Shape and dtype of each input."""
        return self._inputs

    @property
    def outputs(self) -> dict[str, TensorType]:
        """Shape and dtype of each output."""
        return {name: TensorType(v.dtype, v.shape) for name, _, v in self._outputs}

    def _bind(self, feeds: Mapping[str, Array]) -> tuple[dict[int, Array], dict[str, Array]]:
        checked = checked_feeds(self.name, self._inputs, feeds)
        bindings = {self._slots[name]: array for name, array in checked.items()}
        results = self._results or self._new_results()
        for name, slot, _ in self._outputs:
            bindings[slot] = results[name]
        return bindings, results

    def _new_results(self) -> dict[str, Array]:
        return {name: np.empty(view.shape, view.dtype) for name, _, view in self._outputs}


def _kept(lowered: Lowered, plan: MemoryPlan) -> dict[str, Kept]:
    """Intermediate values by name."""
    return {
        name: Kept.at(view, plan, shape)
        for name, (view, shape) in lowered.values.items()
        if view.buffer.kind == "arena" and view.buffer in plan.offsets
    }
