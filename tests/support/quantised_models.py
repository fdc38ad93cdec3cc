"""Quantised models, made by onnx and onnxruntime, and comparison with onnxruntime.

What onnxruntime's optimiser makes of a quantised file is not what the file says: it folds scales
into one another, and may compute 16-bit activations in 8 bits. So the models run there as written.
Its sums of products of uint8 and int8 may saturate on CPUs with AVX2 and without VNNI: weights of
``reduce_range`` do not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

import pyhades

Array = np.ndarray[Any, Any]

MICROSOFT = "com.microsoft"


def model_of(
    nodes: list[onnx.NodeProto],
    feeds: dict[str, Array],
    constants: dict[str, Array],
    outputs: list[str],
    opset: int = 17,
) -> bytes:
    """A model of some nodes."""
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
        for name, x in feeds.items()
    ]
    graph = helper.make_graph(
        nodes,
        "quantised",
        inputs,
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(np.asarray(data), name) for name, data in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()


def run_as_written(model: bytes | Path, feeds: dict[str, Array]) -> list[Array]:
    """What onnxruntime computes without optimising."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = str(model) if isinstance(model, Path) else model
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    return list(session.run(None, feeds))


def run_ours(model: bytes | Path, feeds: dict[str, Array], **options: Any) -> list[Array]:
    """What a program computes."""
    graph = pyhades.load_onnx(model)
    with pyhades.compile(graph, threads=1, **options) as program:
        return list(program.run(feeds).values())


def check_model(
    model: bytes, feeds: dict[str, Array], steps: float = 0.0, share: float = 0.0
) -> None:
    """Compare with onnxruntime.

    Integers may differ by ``steps`` in a ``share`` of the elements, floats in the last bits.
    """
    expected = run_as_written(model, feeds)
    for y, want in zip(run_ours(model, feeds), expected, strict=True):
        assert y.dtype == want.dtype
        assert y.shape == want.shape
        if want.dtype.kind == "f":
            np.testing.assert_allclose(y, want, rtol=1e-5, atol=1e-6 * np.abs(want).max())
            continue
        difference = np.abs(y.astype(np.int64) - want)
        assert difference.max(initial=0) <= steps
        assert (difference > 0).mean() <= share


def small_network() -> onnx.ModelProto:
    """A float32 network with every kind of layer that quantisers look at, random weights."""
    random = np.random.default_rng(0)

    def weight(*shape: int) -> Array:
        return (random.standard_normal(shape) * 0.3).astype(np.float32)

    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["c1"], "conv1", pads=[1, 1, 1, 1]),
        node("Relu", ["c1"], ["r1"], "relu1"),
        node("MaxPool", ["r1"], ["p1"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["p1", "w2", "b2"], ["c2"], "conv2", pads=[1, 1, 1, 1], group=2),
        node("Clip", ["c2", "low", "high"], ["r2"], "clip"),
        node("ConvTranspose", ["r2", "wt"], ["t"], "up", strides=[2, 2]),
        node("Resize", ["r2", "", "scales"], ["rs"], "resize", mode="linear"),
        node("Concat", ["r1", "t", "rs"], ["cat"], "concat", axis=1),
        node("Conv", ["cat", "w3", "b3"], ["c3"], "conv3"),
        node("Sigmoid", ["c3"], ["mask"], "sigmoid"),
        node("GlobalAveragePool", ["cat"], ["g"], "mean"),
        node("Flatten", ["g"], ["gf"], "flatten"),
        node("Gemm", ["gf", "wg", "bg"], ["scores"], "gemm", transB=1),
        node("AveragePool", ["r1"], ["ap"], "average", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Mul", ["ap", "r1"], ["product"], "mul"),
        node("Add", ["product", "shift"], ["sum"], "add"),
        node("Reshape", ["sum", "rows"], ["channels"], "reshape"),
        node("Transpose", ["channels"], ["tokens"], "transpose", perm=[0, 2, 1]),
        node("MatMul", ["tokens", "wm"], ["mm"], "matmul"),
        node("Softmax", ["mm"], ["classes"], "softmax", axis=-1),
        node("LeakyRelu", ["mm"], ["features"], "leaky", alpha=0.1),
    ]
    constants = {
        **{"w1": weight(8, 3, 3, 3), "b1": weight(8), "w2": weight(16, 4, 3, 3), "b2": weight(16)},
        **{"wt": weight(16, 8, 2, 2), "w3": weight(1, 32, 1, 1), "b3": weight(1)},
        **{"wg": weight(4, 32), "bg": weight(4), "wm": weight(8, 12), "shift": weight(1, 8, 1, 1)},
        **{"low": np.float32(0), "high": np.float32(6)},
        "scales": np.array([1, 1, 2, 2], np.float32),
        "rows": np.array([1, 8, -1], np.int64),
    }
    feeds = {"x": np.zeros((1, 3, 16, 16), np.float32)}
    outputs = ["mask", "scores", "classes", "features"]
    return onnx.load_from_string(model_of(nodes, feeds, constants, outputs))


class Calibration:
    """Random inputs, as the quantisers of onnxruntime want to read them."""

    def __init__(self, name: str, shape: tuple[int, ...], count: int = 4) -> None:
        inputs = (
            np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
            for seed in range(count)
        )
        self._feeds = iter([{name: x} for x in inputs])

    def get_next(self) -> dict[str, Array] | None:
        return next(self._feeds, None)
