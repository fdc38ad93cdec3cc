"""Operators that run graphs of their own: a choice, and two kinds of repetition.

Their graphs stand in attributes. What such a graph reads from outside is an input of the node, and
an input of the graph: the last ones of both, its *captures*.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pyhades.errors import ShapeError
from pyhades.ir.copying import clone
from pyhades.ir.graph import Graph, Node, TensorType, Value
from pyhades.ir.registry import Array, Operator, attribute, ir_op
from pyhades.ir.shapes import UNKNOWN, UnknownShape, fail, normalize_axis

Call = Callable[[str, Sequence[Array]], list[Array]]
"""Runs the graph in the attribute of that name on inputs in its order."""

Kinds = list[TensorType | None]

ITERATION = TensorType(np.dtype(np.int64), ())
CONDITION = TensorType(np.dtype(np.bool_), ())


class ControlFlow(Operator):
    """An operator that runs graphs in its attributes."""

    sizes_depend_on_data = True
    graphs: tuple[str, ...] = ()
    """Attributes that hold graphs."""

    @abstractmethod
    def captures(self, node: Node) -> int:
        """How many inputs there are before the captures."""

    @abstractmethod
    def run(self, node: Node, call: Call, inputs: Sequence[Array | None]) -> list[Array]:
        """Compute the outputs, leaving the graphs to ``call``."""

    @abstractmethod
    def kinds(self, node: Node) -> Kinds:
        """Types of the outputs; None where nothing is known."""

    def infer(self, node: Node) -> list[TensorType]:
        self.signature.bind(node)
        kinds = self.kinds(node)
        if len(kinds) != len(node.outputs):
            fail(node, f"its graph has {len(kinds)} results for {len(node.outputs)} outputs")
        known = [kind for kind in kinds if kind is not None]
        if len(known) != len(kinds):
            raise UnknownShape
        return known

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        from pyhades.ir.interpreter import interpret

        def call(name: str, arrays: Sequence[Array]) -> list[Array]:
            graph: Graph = node.attributes[name]
            names = [value.name for value in graph.inputs]
            results = interpret(graph, dict(zip(names, arrays, strict=True)))
            return [results[value.name] for value in graph.outputs]

        return self.run(node, call, inputs)


def result_kinds(node: Node, name: str, kinds: Sequence[TensorType | None]) -> Kinds:
    """Types of the results of a graph in an attribute, from those of its inputs."""
    from pyhades.ir.inference import infer_types

    graph = clone(node.attributes[name])
    if len(graph.inputs) != len(kinds):
        fail(node, f"{name} takes {len(graph.inputs)} inputs, {len(kinds)} are given")
    for value, kind in zip(graph.inputs, kinds, strict=True):
        value.type = kind
    infer_types(graph)
    return [value.type for value in graph.outputs]


def common(node: Node, a: TensorType | None, b: TensorType | None) -> TensorType | None:
    """What is known of a value that has one type or the other."""
    if a is None or b is None:
        return None
    if a.dtype != b.dtype:
        fail(node, f"a result is {a} in one case and {b} in another")
    if a.shape is None or b.shape is None or len(a.shape) != len(b.shape):
        return TensorType(a.dtype, None)
    pairs = zip(a.shape, b.shape, strict=True)
    return TensorType(a.dtype, tuple(x if x == y else UNKNOWN for x, y in pairs))


def _types(values: Sequence[Value | None]) -> Kinds:
    return [None if value is None else value.type for value in values]


@ir_op("If", "bool, *?... -> *...", then_branch=None, else_branch=None)
class If(ControlFlow):
    """One of two graphs, which both take the captures."""

    graphs = ("then_branch", "else_branch")

    def captures(self, node: Node) -> int:
        return 1

    def kinds(self, node: Node) -> Kinds:
        counts = [len(node.attributes[name].outputs) for name in self.graphs]
        if counts[0] != counts[1]:
            fail(node, f"its graphs have {counts[0]} and {counts[1]} results")
        found, errors = [], []
        for name in self.graphs:
            try:
                found.append(result_kinds(node, name, _types(node.inputs[1:])))
            except ShapeError as error:
                # Exporters write choices by shapes, where the other graph does not fit.
                errors.append(error)
        if not found:
            raise errors[0]
        return [common(node, a, b) for a, b in zip(found[0], found[-1], strict=True)]

    def run(self, node: Node, call: Call, inputs: Sequence[Array | None]) -> list[Array]:
        chosen = self.graphs[0] if truth(node, inputs[0]) else self.graphs[1]
        return call(chosen, [array for array in inputs[1:] if array is not None])


def truth(node: Node, condition: Array | None) -> bool:
    """The only element of a condition; without one, true."""
    if condition is not None and condition.size != 1:
        fail(node, f"the condition has {condition.size} elements, needs one")
    return condition is None or bool(condition.reshape(()))


class Repetition(ControlFlow):
    """A graph that is run again on what it made: Loop and Scan."""

    graphs = ("body",)

    @abstractmethod
    def steady(self, node: Node) -> tuple[Kinds, Kinds]:
        """Types of what is carried and of what each step adds, whatever the number of steps."""

    def _steady(
        self, node: Node, carried: Kinds, call: Callable[[Kinds], Kinds]
    ) -> tuple[Kinds, Kinds]:
        """Types that a step maps to themselves: extents that a step changes are unknown."""
        while True:
            results = call(carried)
            after = results[: len(carried)]
            if len(after) < len(carried):
                fail(node, f"its body has {len(after)} results for {len(carried)} carried values")
            merged = [common(node, a, b) for a, b in zip(carried, after, strict=True)]
            if merged == carried:
                return carried, results[len(carried) :]
            carried = merged

    def stack(self, node: Node, index: int, steps: Sequence[Array], axis: int = 0) -> Array:
        """What the steps added to output ``index``."""
        if steps:
            if any(step.shape != steps[0].shape for step in steps):
                fail(node, f"output {index} has steps of different shapes")
            return np.stack(steps, axis)
        kind = node.outputs[index].type
        if kind is None or kind.shape is None:
            fail(node, f"no step was run, and the type of output {index} is unknown")
        extents = [dim if isinstance(dim, int) else 0 for dim in kind.shape]
        extents[axis] = 0
        return np.empty(extents, kind.dtype)


@ir_op("Loop", "int64?, bool?, *?... -> *...", body=None, carried=0)
class Loop(Repetition):
    """While a condition holds, and at most so often.

    The body takes the number of the step, the condition, what is carried and the captures; it
    makes the condition, what is carried, and what is stacked.
    """

    def captures(self, node: Node) -> int:
        return 2 + int(attribute(node, "carried"))

    def heads(self, node: Node) -> list[TensorType]:
        """Types of the number of the step and of the condition; some bodies want vectors of one."""
        body: Graph = node.attributes["body"]
        shapes = [None if v.type is None else v.type.shape for v in body.inputs[:2]]
        vectors = [(1,) if shape is not None and len(shape) == 1 else () for shape in shapes]
        pairs = zip((ITERATION, CONDITION), vectors, strict=True)
        return [TensorType(kind.dtype, vector) for kind, vector in pairs]

    def steady(self, node: Node) -> tuple[Kinds, Kinds]:
        split = self.captures(node)
        heads, captures = self.heads(node), _types(node.inputs[split:])

        def call(carried: Kinds) -> Kinds:
            return result_kinds(node, "body", [*heads, *carried, *captures])[1:]

        return self._steady(node, _types(node.inputs[2:split]), call)

    def kinds(self, node: Node) -> Kinds:
        carried, added = self.steady(node)
        return [*carried, *(_stacked(kind, 0, UNKNOWN) for kind in added)]

    def run(self, node: Node, call: Call, inputs: Sequence[Array | None]) -> list[Array]:
        most, condition, *rest = inputs
        count = int(attribute(node, "carried"))
        carried, captures = rest[:count], rest[count:]
        number, going = self.heads(node)
        limit = None if most is None else int(most.reshape(()))
        goes_on, step = truth(node, condition), 0
        added: list[list[Array]] = [[] for _ in node.outputs[count:]]
        while goes_on and (limit is None or step < limit):
            head = np.full(number.static_shape, step, np.int64)
            flag = np.full(going.static_shape, True)
            goes, *results = call("body", _present([head, flag, *carried, *captures]))
            goes_on, carried = truth(node, goes), list(results[:count])
            for kept, result in zip(added, results[count:], strict=True):
                kept.append(result)
            step += 1
        stacks = [self.stack(node, count + i, steps) for i, steps in enumerate(added)]
        return [*_present(carried), *stacks]


def _present(arrays: Sequence[Array | None]) -> list[Array]:
    return [array for array in arrays if array is not None]


def _stacked(kind: TensorType | None, axis: int, extent: int | str) -> TensorType | None:
    if kind is None or kind.shape is None:
        return kind
    axis = axis + len(kind.shape) + 1 if axis < 0 else axis
    return TensorType(kind.dtype, (*kind.shape[:axis], extent, *kind.shape[axis:]))


@ir_op(
    "Scan",
    "*?... -> *...",
    body=None,
    carried=0,
    scanned=0,
    scan_input_axes=None,
    scan_input_directions=None,
    scan_output_axes=None,
    scan_output_directions=None,
)
class Scan(Repetition):
    """A step for every slice of the scanned inputs, in order or, by ``directions`` 1, backwards.

    The body takes what is carried, the slices and the captures; it makes what is carried, and what
    is stacked.
    """

    def captures(self, node: Node) -> int:
        return int(attribute(node, "carried")) + int(attribute(node, "scanned"))

    def axes(self, node: Node) -> list[int]:
        """The axis that each scanned input is cut along, from the front."""
        first, last = int(attribute(node, "carried")), self.captures(node)
        stated = attribute(node, "scan_input_axes") or [0] * (last - first)
        axes = []
        for axis, value in zip(stated, node.inputs[first:last], strict=True):
            if value is None or value.type is None or value.type.shape is None:
                raise UnknownShape
            axes.append(normalize_axis(node, axis, len(value.type.shape)))
        return axes

    def listed(self, node: Node, name: str, count: int) -> list[int]:
        """An attribute that says something of each of ``count`` inputs or outputs."""
        stated = attribute(node, name) or [0] * count
        if len(stated) != count:
            fail(node, f"{name} {stated} does not fit {count}")
        return list(stated)

    def steady(self, node: Node) -> tuple[Kinds, Kinds]:
        first, last = int(attribute(node, "carried")), self.captures(node)
        slices: Kinds = []
        for axis, value in zip(self.axes(node), node.inputs[first:last], strict=True):
            assert value is not None and value.type is not None and value.type.shape is not None
            extents = value.type.shape
            slices.append(TensorType(value.type.dtype, (*extents[:axis], *extents[axis + 1 :])))
        captures = _types(node.inputs[last:])

        def call(carried: Kinds) -> Kinds:
            return result_kinds(node, "body", [*carried, *slices, *captures])

        return self._steady(node, _types(node.inputs[:first]), call)

    def steps(self, node: Node) -> int | str:
        """How many slices there are."""
        first = int(attribute(node, "carried"))
        extents = set()
        for axis, value in zip(self.axes(node), node.inputs[first:], strict=False):
            assert value is not None and value.type is not None and value.type.shape is not None
            extents.add(value.type.shape[axis])
        numbers = {extent for extent in extents if isinstance(extent, int)}
        if len(numbers) > 1:
            fail(node, f"its inputs have different numbers of slices: {sorted(numbers)}")
        return numbers.pop() if numbers else UNKNOWN

    def kinds(self, node: Node) -> Kinds:
        carried, added = self.steady(node)
        axes = self.listed(node, "scan_output_axes", len(added))
        steps = self.steps(node)
        pairs = zip(added, axes, strict=True)
        return [*carried, *(_stacked(kind, axis, steps) for kind, axis in pairs)]

    def run(self, node: Node, call: Call, inputs: Sequence[Array | None]) -> list[Array]:
        first, last = int(attribute(node, "carried")), self.captures(node)
        arrays = _present(inputs)
        carried, scanned, captures = arrays[:first], arrays[first:last], arrays[last:]
        slices = self._slices(node, scanned)
        added: list[list[Array]] = [[] for _ in node.outputs[first:]]
        for step in zip(*slices, strict=True):
            results = call("body", [*carried, *step, *captures])
            carried = list(results[:first])
            for kept, result in zip(added, results[first:], strict=True):
                kept.append(result)
        return [*carried, *self._stacks(node, first, added)]

    def _slices(self, node: Node, scanned: Sequence[Array]) -> list[list[Array]]:
        """The slices of each scanned input in the order of the steps."""
        axes = self.listed(node, "scan_input_axes", len(scanned))
        backwards = self.listed(node, "scan_input_directions", len(scanned))
        if len({x.shape[axis] for x, axis in zip(scanned, axes, strict=True)}) > 1:
            fail(node, "its inputs have different numbers of slices")
        return [
            [np.array(y) for y in np.moveaxis(x, axis, 0)[:: -1 if back else 1]]
            for x, axis, back in zip(scanned, axes, backwards, strict=True)
        ]

    def _stacks(self, node: Node, first: int, added: Sequence[list[Array]]) -> list[Array]:
        axes = self.listed(node, "scan_output_axes", len(added))
        backwards = self.listed(node, "scan_output_directions", len(added))
        return [
            self.stack(node, first + i, steps[::-1] if back else steps, axis)
            for i, (steps, axis, back) in enumerate(zip(added, axes, backwards, strict=True))
        ]
