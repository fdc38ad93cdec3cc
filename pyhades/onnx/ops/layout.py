"""Shapes, slices, gathers and constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyhades.errors import ModelError
from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Value
from pyhades.onnx.elements import dtype_of
from pyhades.onnx.translate import OnnxNode, onnx_op, same

same("Concat", "DepthToSpace", "Flatten", "Gather", "Identity", "Shape", "Size", "SpaceToDepth")
same("Transpose")
same("Reshape", since=5)
same("Tile", since=6)
same("Expand", since=8)
same("ConstantOfShape", since=9)
same("GatherElements", "GatherND", "Range", "ScatterElements", "ScatterND", since=11)
same("Trilu", since=14)
same("CenterCropPad", since=18)


@onnx_op("Constant", since=1)
def constant(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """A constant value; no node remains."""
    given = {name: value for name, value in node.attributes.items() if value is not None}
    if len(given) != 1:
        raise ModelError(f"{node.where}: a Constant needs exactly one value, has {sorted(given)}")
    ((name, value),) = given.items()
    if name == "value":
        return [graph.constant(value)]
    dtypes = {"value_float": "f4", "value_floats": "f4", "value_int": "i8", "value_ints": "i8"}
    if name in dtypes:
        return [graph.constant(value, dtypes[name])]
    raise node.unsupported(
        f"a Constant with {name} (strings, sparse tensors) cannot be computed with"
    )


@onnx_op("Squeeze", "Unsqueeze", since=1)
def axes_as_attribute(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """``axes`` was an attribute."""
    axes = node.attributes.get("axes")
    return [graph.one(node.op, node.input(0), None if axes is None else graph.integers(axes))]


same("Squeeze", "Unsqueeze", since=13)


@onnx_op("Scatter", since=9)
def scatter(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """The first name of ScatterElements."""
    return graph.emit("ScatterElements", node.inputs, node.attributes)


@onnx_op("Split", since=2)
def split_2(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """The sizes were an attribute."""
    sizes = node.attributes.get("split")
    inputs = [node.input(0), None if sizes is None else graph.integers(sizes)]
    attributes = {"axis": node.attributes.get("axis", 0)}
    return graph.emit("Split", inputs, attributes, len(node.output_names))


same("Split", since=13)


@onnx_op("Slice", since=1)
def slice_1(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Bounds and axes were attributes, the step was one."""
    bounds = [graph.integers(_required(node, name)) for name in ("starts", "ends")]
    axes = node.attributes.get("axes")
    return [
        graph.one("Slice", node.input(0), *bounds, None if axes is None else graph.integers(axes))
    ]


same("Slice", since=10)


@onnx_op("Pad", since=2)
def pad_2(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Pads and the value were attributes."""
    pads = graph.integers(_required(node, "pads"))
    value = graph.constant(node.attributes.get("value", 0.0), node.dtype(0))
    mode = node.attributes.get("mode", "constant")
    return [graph.one("Pad", node.input(0), pads, value, mode=mode)]


same("Pad", since=11)


def _required(node: OnnxNode, name: str) -> Any:
    if name not in node.attributes:
        raise ModelError(f"{node.where}: attribute {name!r} is missing")
    return node.attributes[name]


@onnx_op("TopK", since=1)
def top_k_1(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """K was an attribute."""
    k = graph.constant([_required(node, "k")], np.int64)
    attributes = {"axis": node.attributes.get("axis", -1)}
    return graph.emit("TopK", [node.input(0), k], attributes, 2)


same("TopK", since=10)


@onnx_op("EyeLike", since=9)
def eye_like(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """The dtype is a data type number."""
    number = node.attributes.get("dtype")
    dtype = None if number is None else dtype_of(number, f"{node.where}: dtype")
    return [graph.one("EyeLike", node.input(0), dtype=dtype, k=node.attributes.get("k", 0))]


@onnx_op("Hardmax", since=1)
def hardmax_1(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Over all axes from ``axis`` (default 1) on, as if they were one."""
    axis = node.attributes.get("axis", 1)
    matrix = graph.one("Flatten", node.input(0), axis=axis)
    back = graph.one("Shape", node.input(0))
    return [graph.one("Reshape", graph.one("Hardmax", matrix, axis=-1), back)]


same("Hardmax", since=13)
same("OneHot", since=9)
same("ReverseSequence", since=10)
