"""Control flow: operators with graphs in their attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pyhades.errors import ModelError
from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import TensorType, Value
from pyhades.ir.ops.control import CONDITION, ITERATION
from pyhades.ir.shapes import UNKNOWN
from pyhades.onnx.subgraph import Subgraph
from pyhades.onnx.translate import OnnxNode, onnx_op


def _subgraph(node: OnnxNode, name: str) -> Subgraph:
    graph = node.attributes.get(name)
    if not isinstance(graph, Subgraph):
        raise ModelError(f"{node.where}: attribute {name!r} is no graph, or missing")
    return graph


def _any_extents(value: Value | None) -> TensorType | None:
    """The type of a value that is carried: its rank stays, its extents may change."""
    kind = None if value is None else value.type
    if kind is None or kind.shape is None:
        return kind
    return TensorType(kind.dtype, (UNKNOWN,) * len(kind.shape))


def _emit(
    node: OnnxNode,
    graph: GraphBuilder,
    inputs: Sequence[Value | None],
    attributes: dict[str, Any],
    outputs: int,
) -> list[Value]:
    """A node with all the outputs of its graph, of which the file may leave the last ones out."""
    wanted = len(node.output_names)
    if wanted > outputs:
        raise ModelError(f"{node.where}: its graph makes {outputs} outputs, it has {wanted}")
    return graph.emit(node.op, inputs, attributes, outputs)[:wanted]


@onnx_op("If", since=1)
def choice(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Both graphs take what either captures; one that is certainly taken is written out."""
    condition = node.input(0)
    branches = {name: _subgraph(node, name) for name in ("then_branch", "else_branch")}
    if condition.data is not None and condition.data.size == 1:
        taken = branches["then_branch" if condition.data.all() else "else_branch"]
        return taken.inline([])[: len(node.output_names)]
    attributes, captured = {}, {}
    for name, branch in branches.items():
        attributes[name], captured[name] = branch.graph()
    everything = list(dict.fromkeys(v for values in captured.values() for v in values))
    for name, inner in attributes.items():
        own = dict(zip(captured[name], inner.inputs, strict=True))
        inner.inputs = [own.get(v) or Value(v.name, v.type) for v in everything]
    outputs = branches["then_branch"].output_count
    return _emit(node, graph, [condition, *everything], attributes, outputs)


@onnx_op("Loop", since=1)
def loop(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """What the body captures follows what is carried."""
    body = _subgraph(node, "body")
    head, carried = [node.optional(0), node.optional(1)], node.inputs[2:]
    if body.input_count != 2 + len(carried) or body.output_count < 1 + len(carried):
        raise ModelError(
            f"{node.where}: its body has {body.input_count} inputs and {body.output_count} "
            f"outputs, which does not fit {len(carried)} carried values"
        )
    declared = body.input_types()
    heads = [
        said if said is not None and said.shape is not None else kind
        for said, kind in zip(declared, (ITERATION, CONDITION), strict=False)
    ]
    inner, captured = body.graph([*heads, *map(_any_extents, carried)])
    attributes = {"body": inner, "carried": len(carried)}
    return _emit(node, graph, [*head, *carried, *captured], attributes, body.output_count - 1)


MOST_BATCHES = 64
"""Entries of a batch for which a Scan of opset 8 is written out."""


@onnx_op("Scan", since=8)
def scan_8(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Had a batch axis before all others: the newer one, once per entry."""
    if node.optional(0) is not None:
        raise node.unsupported("lengths of sequences are gone since opset 9; convert the model")
    operands = [node.input(index) for index in range(1, len(node.inputs))]
    extents = operands[0].type.shape if operands and operands[0].type else None
    batch = extents[0] if extents else None
    if not isinstance(batch, int) or not 0 < batch <= MOST_BATCHES:
        raise node.unsupported(
            f"of opset 8 with a batch of {batch}; fix it to at most {MOST_BATCHES} or convert it"
        )
    directions = node.attributes.get("directions", [])
    attributes = {key: x for key, x in node.attributes.items() if key != "directions"}
    attributes["scan_input_directions"] = directions
    found = []
    for entry in range(batch):
        position = graph.constant(entry, np.int64)
        parts: list[Value | None] = [graph.one("Gather", x, position, axis=0) for x in operands]
        found.append(scan(replace(node, inputs=parts, attributes=attributes), graph))
    first = graph.integers([0])
    return [
        graph.one("Concat", *(graph.one("Unsqueeze", x, first) for x in entries), axis=0)
        for entries in zip(*found, strict=True)
    ]


@onnx_op("Scan", since=9)
def scan(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """The number of carried values follows from that of the scanned ones."""
    body = _subgraph(node, "body")
    attributes = {name: x for name, x in node.attributes.items() if name.startswith("scan_")}
    scanned = node.attributes.get("num_scan_inputs")
    if not isinstance(scanned, int) or not 1 <= scanned <= len(node.inputs):
        raise ModelError(f"{node.where}: num_scan_inputs {scanned} does not fit its inputs")
    first = len(node.inputs) - scanned
    axes = attributes.get("scan_input_axes") or [0] * scanned
    if len(axes) != scanned or body.output_count < first:
        raise ModelError(f"{node.where}: its body or its axes do not fit {scanned} inputs")
    slices = [_slice(node.inputs[first + i], axis) for i, axis in enumerate(axes)]
    inner, captured = body.graph([*map(_any_extents, node.inputs[:first]), *slices])
    attributes |= {"body": inner, "carried": first, "scanned": scanned}
    return _emit(node, graph, [*node.inputs, *captured], attributes, body.output_count)


def _slice(value: Value | None, axis: int) -> TensorType | None:
    """The type of what one step gets of a value."""
    kind = None if value is None else value.type
    if kind is None or kind.shape is None or not -len(kind.shape) <= axis < len(kind.shape):
        return None
    axis %= len(kind.shape)
    return TensorType(kind.dtype, (*kind.shape[:axis], *kind.shape[axis + 1 :]))
