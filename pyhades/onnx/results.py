"""Which element type of the file the results of a node have, and where it makes them round."""

from __future__ import annotations

from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Value
from pyhades.onnx.elements import BFLOAT16, Element
from pyhades.onnx.translate import OnnxNode

_TYPE_OF_INPUT = {"CastLike": 1, "DequantizeLinear": 1, "QuantizeLinear": 2, "OneHot": 2}
"""Operators whose results have the type of an input that is not the first to fit."""

_TYPE_OF_ATTRIBUTE = ("Constant", "ConstantOfShape")

_KEPT_WIDE = ("LayerNormalization",)
"""Operators whose further results are statistics in float32."""

_EXACT = frozenset(
    """
    Abs Ceil CenterCropPad Clip Compress Concat Constant ConstantOfShape DepthToSpace Dropout Expand
    Flatten Floor Gather GatherElements GatherND GlobalMaxPool Identity If Loop Max MaxPool Min Neg
    OneHot Pad ReduceMax ReduceMin Relu Reshape ReverseSequence Round ScatterElements ScatterND Sign
    Slice SpaceToDepth Split Squeeze Tile TopK Transpose Trilu Unique Unsqueeze Where
    """.split()  # noqa: SIM905 (a list of words)
)
"""Operators that pass values on or make none that a narrow type lacks, so nothing rounds."""


def settle(node: OnnxNode, results: list[Value], graph: GraphBuilder) -> list[Value]:
    """Results with their element types noted, and rounded where the type is bfloat16.

    We compute in float32; a file whose values are bfloat16 rounds what each operator makes.
    """
    return [_settled(node, index, value, graph) for index, value in enumerate(results)]


def _settled(node: OnnxNode, index: int, value: Value, graph: GraphBuilder) -> Value:
    if node.elements.is_marked(value):
        return value
    kind = _element(node, index, value)
    if kind is None:
        return value
    if kind is BFLOAT16 and not _is_exact(node):
        value = graph.one("RoundBFloat16", value)
    node.elements.mark(value, kind)
    return value


def _is_exact(node: OnnxNode) -> bool:
    return node.op in _EXACT and node.attributes.get("reduction", "none") == "none"


def _element(node: OnnxNode, index: int, value: Value) -> Element | None:
    """The type of result ``index``: that of the first input that is held in the same dtype."""
    if node.op in _TYPE_OF_ATTRIBUTE:
        return node.attribute_elements.get("value")
    if value.type is None or (index and node.op in _KEPT_WIDE):
        return None
    first = _TYPE_OF_INPUT.get(node.op, 0)
    for source in node.inputs[first:]:
        if source is not None and source.type is not None:
            if source.type.dtype == value.type.dtype:
                return node.elements.of(source)
            if first:
                break
    return None
