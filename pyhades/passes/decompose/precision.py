"""Dtypes that a kernel lacks are computed in a wider one, and rounded once at the end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyhades.ir.graph import Node
from pyhades.ir.registry import attribute
from pyhades.passes.decompose.rule import Builder, DType, dtype_of, rule, source

_IN_FLOAT32 = (
    *("Conv", "ConvTranspose", "AveragePool", "MaxPool", "MatMul", "Gemm", "Softmax", "LogSoftmax"),
    *("LayerNormalization", "RMSNormalization", "InstanceNormalization", "GroupNormalization"),
    *("BatchNormalization", "Elu", "Celu", "Selu", "ThresholdedRelu", "Swish", "HardSigmoid"),
    *("LRN", "LpPool", "GlobalLpPool", "DeformConv", "GridSample", "MaxRoiPool"),
    *("Attention", "RotaryEmbedding", "CausalConvWithState", "Einsum", "LinearAttention"),
    *("DFT", "Det", "Inverse", "STFT"),
)

_FLOAT16, _FLOAT32 = np.dtype(np.float16), np.dtype(np.float32)
_RESIZED = {np.dtype(name) for name in ("float32", "float64", "uint8", "int8", "int32")}
_SCATTERED = {
    np.dtype(narrow): np.dtype(wide)
    for narrow, wide in {
        "float16": "float32",
        "bool": "int32",
        "int16": "int32",
        "uint16": "int32",
        "uint32": "int64",
    }.items()
}
"""Where a reduction of the wide dtype, converted back, is that of the narrow one."""


def _is_float16(node: Node) -> bool:
    return dtype_of(source(node)) == _FLOAT16


def _interpolates_without_kernel(node: Node) -> bool:
    return attribute(node, "mode") != "nearest" and dtype_of(source(node)) not in _RESIZED


def _reduces_without_kernel(node: Node) -> bool:
    return attribute(node, "reduction") != "none" and dtype_of(source(node)) in _SCATTERED


@rule(*_IN_FLOAT32, when=_is_float16, first=True)
def _in_float32(build: Builder, node: Node) -> None:
    floats = [
        index
        for index, value in enumerate(node.inputs)
        if value is not None and dtype_of(value).kind == "f"
    ]
    _compute_in(build, node, _FLOAT32, floats)


_FLOATS = {
    **dict.fromkeys(("GRU", "LSTM", "RNN"), (0, 1, 2, 3, 5, 6, 7)),  # 4: lengths of sequences
    "RoiAlign": (0, 1),
    "Col2Im": (0,),
}
"""Which inputs are floating, where others are not."""


@rule(*_FLOATS, when=_is_float16, first=True)
def _some_in_float32(build: Builder, node: Node) -> None:
    positions = [index for index in _FLOATS[node.op] if index < len(node.inputs)]
    _compute_in(build, node, _FLOAT32, positions)


@rule("Resize", when=_interpolates_without_kernel)
def _resize(build: Builder, node: Node) -> None:
    _compute_in(build, node, _FLOAT32 if _is_float16(node) else np.dtype(np.float64), [0])


@rule("ScatterND", "ScatterElements", when=_reduces_without_kernel)
def _scatter(build: Builder, node: Node) -> None:
    _compute_in(build, node, _SCATTERED[dtype_of(source(node))], [0, 2])


def _compute_in(build: Builder, node: Node, wide: DType, positions: Sequence[int]) -> None:
    """Cast the inputs at ``positions``, and the outputs back to their dtypes."""
    inputs = list(node.inputs)
    for index in positions:
        value = node.inputs[index]
        inputs[index] = None if value is None else build.cast(value, wide, f"wide{index}")
    names = [f"wide.output{index}" for index in range(len(node.outputs))]
    results = build.apply_all(node.op, inputs, names, **node.attributes)
    for old, result in zip(node.outputs, results, strict=True):
        new = result
        if dtype_of(result) != dtype_of(old):
            attributes = {"to": dtype_of(old)}
            new = build.rewrite.new("Cast", [result], old.name, node, **attributes)
        build.rewrite.substitute(old, new)
