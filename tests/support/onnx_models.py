"""ONNX models of one node, made by the onnx package, and comparison with onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from pyhades import load_onnx
from pyhades.ir.interpreter import interpret

Array = np.ndarray[Any, Any]


def make_model(
    op: str,
    opset: int,
    feeds: dict[str, Array],
    constants: dict[str, Array] | None = None,
    inputs: list[str] | None = None,
    outputs: int = 1,
    **attributes: Any,
) -> bytes:
    """A model of one node; ``inputs`` gives their order, by default feeds and then constants."""
    constants = constants or {}
    names = [f"y{index}" for index in range(outputs)]
    node = helper.make_node(
        op, inputs or [*feeds, *constants], names, name="the node", **attributes
    )
    graph = helper.make_graph(
        [node],
        "one",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
            for name, x in feeds.items()
        ],
        [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in names],
        [numpy_helper.from_array(data, name) for name, data in constants.items()],
    )
    for value in graph.output:
        value.ClearField("type")
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
    return onnx.shape_inference.infer_shapes(model).SerializeToString()


def run_rival(model: bytes, feeds: dict[str, Array]) -> list[Array]:
    """The outputs that onnxruntime computes."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return list(session.run(None, feeds))


def check_against_rival(
    op: str,
    opset: int,
    feeds: dict[str, Array],
    constants: dict[str, Array] | None = None,
    atol: float = 1e-5,
    **rest: Any,
) -> None:
    """Compare one node with onnxruntime: its outputs, and the types that were inferred for them."""
    model = make_model(op, opset, feeds, constants, **rest)
    graph = load_onnx(model)
    results = interpret(graph, feeds)
    for value, expected in zip(graph.outputs, run_rival(model, feeds), strict=True):
        np.testing.assert_allclose(results[value.name], expected, rtol=1e-5, atol=atol)
        assert results[value.name].dtype == expected.dtype
        assert value.type is not None
        if value.type.is_static:
            assert value.type.static_shape == expected.shape
