"""Element-wise float32 operators become programs of the ``map`` kernel, one per connected group.

A program reads bytes of a grid and makes them as well.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.ops.elementwise import attribute_parameters, element_function
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.passes.rewriting import Rewrite, clip_bounds, scalar

_GRIDS = ("QuantizeU8", "DequantizeU8")
"""What reads or makes bytes."""

MOST_INPUTS = 8
MOST_REGISTERS = 16
"""Limits of the native kernel, see docs/reference/native_operators.md."""


def fuse_pointwise(graph: Graph) -> Graph:
    """Group from the last node backwards: a producer joins if only the group reads it."""
    rewrite = Rewrite(graph)
    readers: dict[Value, list[Node]] = {}
    for node in rewrite.nodes:
        for value in node.inputs:
            if value is not None:
                readers.setdefault(value, []).append(node)
    position = {node: index for index, node in enumerate(rewrite.nodes)}
    outputs = set(rewrite.graph.outputs)
    taken: set[Node] = set()
    for sink in reversed(rewrite.nodes):
        if sink in taken or not _is_pointwise(sink):
            continue
        group = [sink]
        _grow(group, readers, outputs)
        if len(group) == 1 and sink.op in _GRIDS:
            continue  # which has kernels of its own
        group.sort(key=position.__getitem__)
        taken.update(group)
        program = _assemble(group)
        rewrite.replace(
            sink,
            "Pointwise",
            program.inputs,
            steps=program.steps,
            constants=tuple(program.constants),
            grids=tuple(program.grids) if any(program.grids) else None,
            to=_dtype(sink.outputs[0]),
        )
    return rewrite.finish()


def _grow(group: list[Node], readers: dict[Value, list[Node]], outputs: set[Value]) -> None:
    """Add producers to ``group`` while the kernel's limits allow.

    What bytes stand for is computed again by every group that reads it.
    """
    extents = shape(group[0].outputs[0])
    refused: set[Node] = set()

    def is_private(node: Node) -> bool:
        made = node.outputs[0]
        return made not in outputs and all(reader in group for reader in readers[made])

    while True:
        candidates = [
            value.producer
            for node in group
            for value in node.inputs
            if value is not None and value.producer is not None
        ]
        chosen = next(
            (
                node
                for node in candidates
                if node not in group
                and node not in refused
                and _is_pointwise(node)
                and shape(node.outputs[0]) == extents
                and (node.op == "DequantizeU8" or is_private(node))
            ),
            None,
        )
        if chosen is None:
            return
        if len(_external([*group, chosen])) > MOST_INPUTS or len(group) >= MOST_REGISTERS - 4:
            refused.add(chosen)
        else:
            group.append(chosen)


def _external(group: list[Node]) -> list[Value]:
    """What a group reads from outside, numbers apart; bytes by what they stand for."""
    made = {node.outputs[0] for node in group if not _is_adapter(node, group)}
    nodes = [node for node in group if not _is_adapter(node, group)]
    read = [value for node in nodes for value in _operands(node) if isinstance(value, Value)]
    return list(dict.fromkeys(value for value in read if value not in made))


def _is_adapter(node: Node, group: list[Node]) -> bool:
    """Whether all that a node does is to say what bytes from outside stand for."""
    source = node.inputs[0]
    return node.op == "DequantizeU8" and source is not None and source.producer not in group


Grid = tuple[float, int]


@dataclass
class _Program:
    inputs: list[Value | None]
    grids: list[Grid | None]
    """Of each input, then of the result, where they are bytes."""
    steps: list[tuple[str, int, tuple[int, ...]]] = field(default_factory=list)
    constants: list[float] = field(default_factory=list)

    def constant(self, number: float) -> int:
        """The source that stands for ``number``."""
        if number not in self.constants:
            self.constants.append(number)
        return -1 - self.constants.index(number)


def _assemble(group: list[Node]) -> _Program:
    """The steps of a group in order; registers of values that are no longer read are used again."""
    external = _external(group)
    sink = group[-1]
    adapters = [_adapter(value, group) for value in external]
    program = _Program(
        [v if node is None else node.inputs[0] for v, node in zip(external, adapters, strict=True)],
        [None if node is None else _grid(node) for node in adapters],
    )
    program.grids.append(_grid(sink) if sink.op == "QuantizeU8" else None)
    registers: dict[Value, int] = {value: index for index, value in enumerate(external)}
    nodes = [node for node in group if not _is_adapter(node, group)]
    remaining = Counter(
        value for node in nodes for value in _operands(node) if isinstance(value, Value)
    )
    free: list[int] = []
    top = len(external)
    for node in nodes:
        if node is sink and node.op == "QuantizeU8" and program.steps:
            break  # of which storing the result takes care
        sources = []
        for operand in _operands(node):
            if isinstance(operand, Value):
                sources.append(registers[operand])
                remaining[operand] -= 1
                if not remaining[operand] and registers[operand] >= len(external):
                    free.append(registers[operand])
            else:
                sources.append(program.constant(operand))
        if free:
            destination = free.pop()
        else:
            destination, top = top, top + 1
        registers[node.outputs[0]] = destination
        for function, numbers in _functions(node, node is sink):
            parameters = [program.constant(number) for number in numbers]
            program.steps.append((function, destination, (*sources, *parameters)))
            sources = [destination]
    return program


def _adapter(value: Value, group: list[Node]) -> Node | None:
    node = value.producer
    return node if node is not None and node in group and _is_adapter(node, group) else None


def _grid(node: Node) -> Grid:
    return float(attribute(node, "scale")), int(attribute(node, "zero"))


def _functions(node: Node, is_sink: bool) -> list[tuple[str, list[float]]]:
    """The functions that a node computes, one of the other's result, and their last operands."""
    if node.op not in _GRIDS:
        row = element_function(node)
        assert row is not None
        return [(row.name, [])]
    if is_sink and node.op == "QuantizeU8":
        return [("copy", [])]
    scale, zero = _grid(node)
    if node.op == "DequantizeU8":
        return [("sub", [float(zero)]), ("mul", [scale])]
    return [("div", [scale]), ("round", []), ("add", [float(zero)]), ("clip", [0.0, 255.0])]


def _operands(node: Node) -> list[Value | float]:
    """The values and numbers that the step of ``node`` reads, parameters last."""
    if node.op in _GRIDS:
        return [value for value in node.inputs if value is not None]
    row, bounds = element_function(node), clip_bounds(node)
    if bounds is not None:
        x = node.inputs[0]
        assert x is not None
        return [x, *bounds]
    inputs: list[Value | float] = []
    for value in node.inputs:
        if value is not None:
            number = scalar(value)
            inputs.append(value if number is None or not _may_inline(node, value) else number)
    assert row is not None
    return inputs + attribute_parameters(node, row)


def _may_inline(node: Node, value: Value) -> bool:
    """A number needs no operand unless it is all that gives the result its shape."""
    others = [other for other in node.inputs if other is not None and other is not value]
    return any(scalar(other) is None for other in others)


def _dtype(value: Value) -> np.dtype[Any]:
    assert value.type is not None
    return value.type.dtype


def _is_pointwise(node: Node) -> bool:
    if node.op in _GRIDS:
        return True
    row = element_function(node)
    if row is None or not row.is_step or (node.op == "Clip" and clip_bounds(node) is None):
        return False
    if row.arrays == 2 and len(node.inputs) != 2:
        return False  # Min and Max of one or of many
    kinds = [value.type for value in (*node.inputs, *node.outputs) if value is not None]
    return all(kind is not None and kind.dtype == np.float32 for kind in kinds)
