"""Graphs of which only some results are wanted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pyhades.errors import ArgumentError
from pyhades.ir.graph import Graph


def with_outputs(graph: Graph, names: Sequence[str]) -> Graph:
    """The same graph with these outputs, in this order; passes drop what only others need.

    Raises
    ------
    ArgumentError
        A name is none of an output, or no name is given.
    """
    known = {value.name: value for value in graph.outputs}
    for name in names:
        if name not in known:
            raise ArgumentError(
                f"outputs: {graph.name!r} has no output {name!r}; it has {', '.join(known)}"
            )
    if not names:
        raise ArgumentError("outputs is empty: nothing would be computed")
    return dataclasses.replace(graph, outputs=[known[name] for name in dict.fromkeys(names)])
