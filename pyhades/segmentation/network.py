"""The engine behind a face that the pipeline needs: one image tensor in, one prediction out."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import pyhades
from pyhades.errors import ClosedError
from pyhades.ir.graph import Graph
from pyhades.options import EngineOptions

PROGRAMS_KEPT = 4
"""Programs specialised to an input size that a dynamic network keeps."""


class Network(Protocol):
    """What the pipeline asks of an engine; onnxruntime or a test double may stand in."""

    def __call__(self, planes: NDArray[np.float32], /) -> NDArray[Any]:
        """Predict from float32 ``[1, 3, h, w]``."""

    def close(self) -> None:
        """Give back memory and threads; calling it twice is fine."""


class CompiledNetwork:
    """A graph on our own engine, specialised to each input size that turns up.

    Parameters
    ----------
    graph
        With one input ``[1, 3, h, w]``.
    output
        Index or name of the output that is wanted. What only the others need is not computed.
    options
        See :func:`pyhades.compile`.
    """

    def __init__(
        self,
        graph: Graph,
        output: int | str = 0,
        *,
        options: EngineOptions | None = None,
    ) -> None:
        names = [value.name for value in graph.outputs]
        wanted = graph.outputs[names.index(output) if isinstance(output, str) else output]
        self._graph: Graph | None = Graph(
            graph.inputs, [wanted], graph.nodes, graph.name, graph.source, graph.metadata
        )
        self._input, self._output = graph.inputs[0].name, wanted.name
        self._options = options
        self._programs: OrderedDict[tuple[int, ...], Any] = OrderedDict()
        self._lock = threading.Lock()
        kind = graph.inputs[0].type
        if kind is not None and kind.is_static:
            # What is wrong with a model should be said when it is loaded, not at the first image.
            self._program(kind.static_shape)

    def __call__(self, planes: NDArray[np.float32], /) -> NDArray[Any]:
        """Predict from float32 ``[1, 3, h, w]``, compiling first if this size is new."""
        output: NDArray[Any] = self._program(planes.shape).run({self._input: planes})[self._output]
        return output

    def _program(self, shape: tuple[int, ...]) -> Any:
        with self._lock:
            if self._graph is None:
                raise ClosedError("the network was closed")
            if shape in self._programs:
                self._programs.move_to_end(shape)
                return self._programs[shape]
            program = pyhades.compile(
                self._graph, input_shapes={self._input: shape}, options=self._options
            )
            self._programs[shape] = program
            if len(self._programs) > PROGRAMS_KEPT:
                # Another thread may be running it, so it is dropped and not closed.
                self._programs.popitem(last=False)
            return program

    def close(self) -> None:
        """Close all programs."""
        with self._lock:
            programs, self._programs, self._graph = self._programs, OrderedDict(), None
        for program in programs.values():
            program.close()
