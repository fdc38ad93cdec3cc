"""Convolution and pooling."""

from __future__ import annotations

from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Value
from pyhades.onnx.translate import OnnxNode, onnx_op, same

same("Conv", "ConvTranspose", "GlobalAveragePool", "GlobalMaxPool", "LRN")
same("AveragePool", since=7)
same("MaxPool", since=8)
same("GlobalLpPool", "LpPool", since=2)
same("MaxUnpool", since=9)
same("AffineGrid", since=20)
same("DeformConv", since=19)
same("Col2Im", since=18)
same("MaxRoiPool")


@onnx_op("GridSample", since=16)
def grid_sample_16(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Modes had the names that they have for images."""
    names = {"bilinear": "linear", "bicubic": "cubic"}
    mode = node.attributes.get("mode", "bilinear")
    attributes = {**node.attributes, "mode": names.get(mode, mode)}
    return graph.emit("GridSample", node.inputs, attributes)


same("GridSample", since=20)


@onnx_op("RoiAlign", since=10)
def roi_align_10(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Boxes counted from the centre of the first pixel."""
    attributes = {**node.attributes, "coordinate_transformation_mode": "output_half_pixel"}
    return graph.emit("RoiAlign", node.inputs, attributes)


same("RoiAlign", since=16)
