"""What computes in a stage: a native program, or NumPy where compiling would take longer."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np

from pyhades.compiler.listing import Line
from pyhades.compiler.native import NativeProgram, compile_native
from pyhades.compiler.runnable import Memory
from pyhades.compiler.stages.engine import Engine
from pyhades.compiler.stages.lines import line_of
from pyhades.compiler.trace import TracedLine
from pyhades.compiler.view import Array
from pyhades.ir.graph import Graph
from pyhades.ir.interpreter import interpret
from pyhades.ir.registry import operator

SMALL_WORK = 1 << 16
"""Floating-point operations and bytes up to which a later stage is left to NumPy."""
FEW_NODES = 24
"""As many nodes take NumPy less than compiling them takes."""


class Part(ABC):
    """Computes the outputs of a graph from its inputs, by name."""

    lines: list[Line]
    memory: Memory

    @abstractmethod
    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Compute."""

    @abstractmethod
    def trace(self, feeds: Mapping[str, Array]) -> tuple[dict[str, Array], list[TracedLine]]:
        """Compute, and time every instruction."""

    @abstractmethod
    def dump(self, feeds: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
        """Compute, and return every value that exists, too."""

    @abstractmethod
    def cancel(self) -> None:
        """Stop the runs of other threads."""

    @abstractmethod
    def close(self) -> None:
        """Free the arenas."""


def part_of(graph: Graph, engine: Engine, *, is_first: bool) -> Part:
    """What computes ``graph``, all of whose types are static."""
    if not is_first and _is_small(graph):
        return InterpretedPart(graph)
    return NativePart(graph, engine, is_first=is_first)


def _is_small(graph: Graph) -> bool:
    if len(graph.nodes) > FEW_NODES:
        return False
    return sum(sum(operator(node.op).cost(node)) for node in graph.nodes) <= SMALL_WORK


class NativePart(Part):
    """A native program."""

    def __init__(self, graph: Graph, engine: Engine, *, is_first: bool) -> None:
        self._program: NativeProgram = compile_native(
            graph, engine.options, engine.arguments, names=engine.names, release=is_first
        )
        self.lines, self.memory = self._program.lines, self._program.memory

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        return self._program.run(feeds)

    def trace(self, feeds: Mapping[str, Array]) -> tuple[dict[str, Array], list[TracedLine]]:
        return self._program.run(feeds), self._program.trace(feeds).lines

    def dump(self, feeds: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
        return self._program.run(feeds), self._program.dump(feeds)

    def cancel(self) -> None:
        self._program.cancel()

    def close(self) -> None:
        self._program.close()


class InterpretedPart(Part):
    """Nodes one by one on their NumPy references."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.lines = [line_of(node) for node in graph.nodes]
        self.memory = Memory(0, 0)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        return {name: np.asarray(x) for name, x in interpret(self._graph, feeds).items()}

    def trace(self, feeds: Mapping[str, Array]) -> tuple[dict[str, Array], list[TracedLine]]:
        began = time.perf_counter()
        results = self.run(feeds)
        share = (time.perf_counter() - began) / max(len(self.lines), 1)
        return results, [TracedLine(x, share, x.flops, x.bytes) for x in self.lines]

    def dump(self, feeds: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
        values = interpret(self._graph, feeds, keep_all=True)
        made = {value.name for node in self._graph.nodes for value in node.outputs}
        results = {value.name: values[value.name] for value in self._graph.outputs}
        return results, {name: array for name, array in values.items() if name in made}

    def cancel(self) -> None:
        """There is nothing to stop: a run takes less than a signal."""

    def close(self) -> None:
        """There is no arena."""
