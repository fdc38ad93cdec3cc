"""A graph that is compiled for what is found: one stage per set of shapes and deciding values."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np

from pyhades.compiler.stages.engine import Engine
from pyhades.compiler.stages.stage import Stage
from pyhades.compiler.view import Array
from pyhades.ir.copying import clone
from pyhades.ir.graph import Graph, Value
from pyhades.ir.inference import type_of
from pyhades.passes import fold_constants


class Variants:
    """What follows a stage, or a graph that an operator runs.

    Parameters
    ----------
    graph
        Its inputs may be of any type.
    engine
        What all stages share.
    place
        Where in the network, for people to read.
    deciding
        Inputs that it is compiled for; all others matter by their shapes.
    positions
        Which outputs of the whole its outputs are.
    """

    def __init__(
        self,
        graph: Graph,
        engine: Engine,
        place: str,
        deciding: Sequence[Value] = (),
        positions: Sequence[int] | None = None,
    ) -> None:
        self.graph = graph
        self.place = place
        self._engine = engine
        self._deciding = [value in deciding for value in graph.inputs]
        self._positions = list(range(len(graph.outputs)) if positions is None else positions)

    def find(self, arrays: Sequence[Array]) -> Stage:
        """The stage for ``arrays``, one per input, compiling it if it is new."""
        key = self._key(arrays)
        shelf = self._engine.shelf
        stage = shelf.find(key)
        if stage is not None:
            return stage
        with self._engine.compiling:
            stage = shelf.find(key)
            if stage is None:
                stage = self._compiled(arrays)
                shelf.keep(key, stage)
            return stage

    def _key(self, arrays: Sequence[Array]) -> Hashable:
        shapes = tuple(array.shape for array in arrays)
        decided = zip(arrays, self._deciding, strict=True)
        return self, shapes, tuple(array.tobytes() for array, decides in decided if decides)

    def _compiled(self, arrays: Sequence[Array]) -> Stage:
        graph = clone(self.graph)
        for node in graph.nodes:
            for value in node.outputs:
                value.type = None
        for value, array, decides in zip(graph.inputs, arrays, self._deciding, strict=True):
            grid = None if value.type is None else value.type.quantization
            value.type = replace(type_of(array), quantization=grid)
            value.data = np.array(array) if decides else None
        folded = fold_constants(graph, partly=True)
        return Stage(folded, self._engine, self.place, self._positions)
