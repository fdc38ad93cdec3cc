"""Networks in float16 throughout, inputs and outputs too, beside onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyhades
from pyhades import load_onnx

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

RANDOM = np.random.default_rng(0)
HALF_ULP = 2.0**-11
node: Callable[..., Any] = helper.make_node


def half(*shape: int) -> Any:
    return RANDOM.normal(size=shape).astype(np.float16)


NETWORKS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "convolution": (
        [
            node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
            node("Relu", ["c"], ["r"]),
            node("MaxPool", ["r"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
            node("Resize", ["m", "", "scales"], ["u"], mode="linear"),
            node("Sigmoid", ["u"], ["y"]),
        ],
        {"w": half(4, 3, 3, 3), "b": half(4), "scales": np.float32([1, 1, 2, 2])},
    ),
    "attention": (
        [
            node("LayerNormalization", ["x", "g", "b"], ["n"], axis=-1),
            node("MatMul", ["n", "w"], ["p"]),
            node("Softmax", ["p"], ["s"], axis=-1),
            node("MatMul", ["s", "n"], ["a"]),
            node("ReduceMean", ["a", "axes"], ["y"]),
        ],
        {"g": half(8), "b": half(8), "w": half(8, 8), "axes": np.int64([3])},
    ),
    "pointwise": (
        [
            node("Mul", ["x", "k"], ["a"]),
            node("Add", ["a", "x"], ["b"]),
            node("Tanh", ["b"], ["t"]),
            node("Sub", ["t", "k"], ["y"]),
        ],
        {"k": half(3, 1, 1)},
    ),
}


@pytest.mark.parametrize("isa", [None, "scalar"])
@pytest.mark.parametrize("name", NETWORKS)
def test_like_onnxruntime(name: str, isa: str | None) -> None:
    nodes, weights = NETWORKS[name]
    kind = TensorProto.FLOAT16
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", kind, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(data, key) for key, data in weights.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    x = half(2, 3, 8, 8)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    (expected,) = session.run(None, {"x": x})
    program = pyhades.compile(load_onnx(proto), {"x": x.shape}, threads=1, isa=isa)
    y = program(x)
    assert y.dtype == np.float16
    # Which sums are rounded where differs; by a few roundings of the largest values at most.
    bound = 6 * HALF_ULP * max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(y.astype(np.float32), expected.astype(np.float32), atol=bound)
