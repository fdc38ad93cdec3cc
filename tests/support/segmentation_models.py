"""Small segmentation networks in ONNX whose mask is known: bright pixels are foreground."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 64

FLOAT, FLOAT16, UINT8 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8
INT64, BOOL, DOUBLE = TensorProto.INT64, TensorProto.BOOL, TensorProto.DOUBLE


def node(op: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    """A node whose inputs and outputs are separated by spaces; ``-`` is one that is left out."""
    names = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(op, names, outputs.split(), f"the {outputs}", **attributes)


def scores(rows: Sequence[Sequence[float]], name: str = "l") -> list[onnx.NodeProto]:
    """A 1x1 convolution: of each channel, a factor of the brightness and an offset."""
    weights = np.repeat(np.array(rows, np.float32)[:, :1] / 3, 3, axis=1)[:, :, None, None]
    offsets = np.array(rows, np.float32)[:, 1]
    return [
        constant("weights", weights),
        constant("offsets", offsets),
        node("Conv", "x weights offsets", name),
    ]


def constant(name: str, data: Any, dtype: Any = None) -> onnx.NodeProto:
    """A constant as a node, so that a model is one list of nodes."""
    array = np.asarray(data, dtype)
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array, name))


def model(
    nodes: Sequence[onnx.NodeProto],
    output: Sequence[Any] | dict[str, Sequence[Any]],
    dtype: int = FLOAT,
    *,
    inputs: dict[str, Sequence[Any]] | None = None,
    input_dtype: int = FLOAT,
    opset: int = 18,
    metadata: dict[str, str] | None = None,
) -> bytes:
    """A model with the input ``x`` and the output ``y``, or with those that are named."""
    taken = inputs or {"x": [1, 3, SIDE, SIDE]}
    made = output if isinstance(output, dict) else {"y": output}
    graph = helper.make_graph(
        list(nodes),
        "bright",
        [helper.make_tensor_value_info(n, input_dtype, shape) for n, shape in taken.items()],
        [helper.make_tensor_value_info(n, dtype, shape) for n, shape in made.items()],
    )
    result = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    helper.set_model_props(result, metadata or {})
    return result.SerializeToString()


def disc() -> np.ndarray[Any, Any]:
    """A bright disc on a dark ground, uint8 [64, 64, 3]."""
    y, x = np.mgrid[:SIDE, :SIDE]
    inside = np.hypot(y - SIDE / 2, x - SIDE / 2) < SIDE * 0.3
    return np.where(inside[..., None], 230, 30).repeat(3, axis=2).astype(np.uint8)
