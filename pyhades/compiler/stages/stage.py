"""One stage: a native part, operators that Python runs on its results, and what follows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from pyhades.compiler.stages.cutting import cut
from pyhades.compiler.stages.engine import Engine
from pyhades.compiler.stages.limits import refuse_giants
from pyhades.compiler.stages.part import Part, part_of
from pyhades.compiler.view import Array
from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import evaluate
from pyhades.ir.ops.control import ControlFlow
from pyhades.ir.registry import operator
from pyhades.passes import separate_suppression

if TYPE_CHECKING:
    from pyhades.compiler.stages.run import Run
    from pyhades.compiler.stages.variants import Variants

_ORDER = count()


class Stage:
    """A graph with static types of its inputs, cut and compiled.

    Parameters
    ----------
    graph
        Constants are folded. It is taken over.
    engine
        What all stages share.
    place
        Where in the network, for people to read.
    positions
        Which outputs of the whole the outputs of ``graph`` are.

    Attributes
    ----------
    part
        What computes before anything is looked at; None where there is nothing to compute.
    host
        Operators that Python runs.
    after
        What follows; None in the last stage.
    """

    def __init__(self, graph: Graph, engine: Engine, place: str, positions: Sequence[int]) -> None:
        parts = cut(separate_suppression(graph))
        self.place = place
        self.order = next(_ORDER)
        self.host = parts.host
        self._inputs = graph.inputs
        late = {value for node in parts.after for value in node.outputs}
        results = list(zip(positions, graph.outputs, strict=True))
        self._results = [(index, value) for index, value in results if value not in late]
        waiting = [(index, value) for index, value in results if value in late]
        follow = _read(parts.after, [])
        wanted = [*follow, *_read(self.host, []), *(value for _, value in self._results)]
        made = {value for node in parts.before for value in node.outputs}
        makes = [value for value in dict.fromkeys(wanted) if value in made]
        self.part = _part(graph, parts.before, makes, engine, is_first=not place) if makes else None
        self._makes = makes
        self._reads = _read(parts.before, makes) if makes else []
        self.after = _after(graph, parts.after, follow, waiting, parts.deciding, engine, place)
        self._follow = follow
        self._bodies = {node: _bodies(node, engine, place) for node in self.host}

    def step(self, arrays: Sequence[Array], run: Run) -> tuple[dict[int, Array], list[Array]]:
        """Compute: outputs of the whole by position, and what the stage that follows takes."""
        known: dict[Value, Array] = dict(zip(self._inputs, arrays, strict=True))
        if self.part is not None:
            feeds = {value.name: known[value] for value in self._reads}
            made = run.compute(self.part, feeds)
            known.update((value, made[value.name]) for value in self._makes)
        for node in self.host:
            inputs = [None if value is None else _array(value, known) for value in node.inputs]
            results = run.execute(node, partial(self._evaluate, node, inputs, run))
            known.update(zip(node.outputs, results, strict=True))
        found = {index: _result(value, known) for index, value in self._results}
        return found, [known[value] for value in self._follow]

    def _evaluate(self, node: Node, inputs: Sequence[Array | None], run: Run) -> list[Array]:
        rule = operator(node.op)
        if not isinstance(rule, ControlFlow):
            refuse_giants(node, inputs)
            return [np.asarray(x) for x in evaluate(node, inputs)[: len(node.outputs)]]
        bodies = self._bodies[node]
        return rule.run(node, lambda name, arrays: run.follow(bodies[name], arrays), inputs)

    def later(self) -> list[Variants]:
        """The graphs that are compiled later: what follows, and what operators of Python run."""
        bodies = [body for bodies in self._bodies.values() for body in bodies.values()]
        return bodies if self.after is None else [self.after, *bodies]


def _array(value: Value, known: dict[Value, Array]) -> Array:
    return known[value] if value.data is None else value.data


def _result(value: Value, known: dict[Value, Array]) -> Array:
    """An array that the caller may write to; a constant stays as it is."""
    return known[value] if value.data is None else np.array(value.data)


def _read(nodes: Iterable[Node], made: Iterable[Value]) -> list[Value]:
    """What ``nodes`` read from outside, in order."""
    own = {value for node in nodes for value in node.outputs} | set(made)
    values = (value for node in nodes for value in node.inputs)
    return list(
        dict.fromkeys(v for v in values if v is not None and v.data is None and v not in own)
    )


def _part(
    graph: Graph, nodes: list[Node], makes: list[Value], engine: Engine, *, is_first: bool
) -> Part:
    reads = _read(nodes, [])
    names: set[str] = set()
    for value in [*reads, *makes]:
        while value.name in names:
            value.name += "'"
        names.add(value.name)
    own = Graph(reads, makes, nodes, graph.name, graph.source)
    return part_of(own, engine, is_first=is_first)


def _after(
    graph: Graph,
    nodes: list[Node],
    follow: list[Value],
    waiting: list[tuple[int, Value]],
    deciding: list[Value],
    engine: Engine,
    place: str,
) -> Variants | None:
    from pyhades.compiler.stages.variants import Variants

    if not nodes:
        return None
    outputs = [value for _, value in waiting]
    rest = Graph(follow, outputs, nodes, graph.name, graph.source)
    positions = [index for index, _ in waiting]
    return Variants(rest, engine, _next(place), deciding, positions)


def _next(place: str) -> str:
    """The place behind a place: the first has no name, the second is "2"."""
    head, _, number = place.rpartition("/")
    following = str(int(number) + 1) if number.isdigit() else "2"
    return f"{head}/{following}" if head else following


def _bodies(node: Node, engine: Engine, place: str) -> dict[str, Variants]:
    from pyhades.compiler.stages.variants import Variants

    rule = operator(node.op)
    if not isinstance(rule, ControlFlow):
        return {}
    where = f"{place or '1'}/{node.name or node.outputs[0].name}"
    return {
        name: Variants(node.attributes[name], engine, f"{where}.{name}/1") for name in rule.graphs
    }
