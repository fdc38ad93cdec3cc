"""Operators that onnxruntime adds, against onnxruntime, and files that it has optimised."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

import pyhades
from pyhades import load_onnx
from pyhades.errors import ShapeError, UnsupportedOperatorError
from pyhades.ir.interpreter import interpret
from pyhades.networks import SwinConfig, write_swin, write_u2net
from tests.support.graphs import Builder
from tests.support.onnx_models import make_model, run_rival

Array = np.ndarray[Any, Any]
RANDOM = np.random.default_rng(3)


def noise(*shape: int, dtype: Any = np.float32) -> Array:
    return RANDOM.normal(size=shape).astype(dtype)


def model_of(
    op: str,
    feeds: dict[str, Array],
    constants: dict[str, Array],
    inputs: list[str] | None,
    outputs: list[str],
    domain: str = "com.microsoft",
    **attributes: Any,
) -> bytes:
    names = inputs if inputs is not None else [*feeds, *constants]
    node = helper.make_node(op, names, outputs, name="the node", domain=domain, **attributes)
    graph = helper.make_graph(
        [node],
        "one",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
            for name, x in feeds.items()
        ],
        [helper.make_tensor_value_info(name, 0, None) for name in outputs if name],
        [numpy_helper.from_array(data, name) for name, data in constants.items()],
    )
    for value in graph.output:
        value.ClearField("type")
    versions = [helper.make_opsetid("", 17)]
    if domain:
        versions.append(helper.make_opsetid(domain, 1))
    return helper.make_model(graph, opset_imports=versions, ir_version=8).SerializeToString()


def ours(model: bytes, feeds: dict[str, Array]) -> list[list[Array]]:
    """The outputs of the interpreter, and of the compiled program."""
    graph = load_onnx(model)
    with pyhades.compile(graph) as program:
        compiled = list(program.run(feeds).values())
    return [list(interpret(graph, feeds).values()), compiled]


def check(
    op: str,
    feeds: dict[str, Array],
    constants: dict[str, Array] | None = None,
    inputs: list[str] | None = None,
    outputs: tuple[str, ...] = ("y",),
    tolerance: float = 2e-5,
    expected: list[Array] | None = None,
    **attributes: Any,
) -> None:
    """Compare with onnxruntime, or with what is expected where it has no kernel for the CPU."""
    model = model_of(op, feeds, constants or {}, inputs, list(outputs), **attributes)
    wanted = run_rival(model, feeds) if expected is None else expected
    for results in ours(model, feeds):
        assert len(results) == len(wanted)
        for actual, y in zip(results, wanted, strict=True):
            assert actual.dtype == y.dtype
            np.testing.assert_allclose(actual, y, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("op", ["Gelu", "BiasGelu", "FastGelu", "QuickGelu"])
def test_activations(op: str) -> None:
    feeds = {"x": noise(2, 5, 8) * 3}
    with_bias = {"bias": noise(8)} if op in ("BiasGelu", "FastGelu") else {}
    check(op, feeds, with_bias, tolerance=1e-3 if op == "FastGelu" else 2e-5)
    if op == "QuickGelu":
        check(op, feeds, alpha=1.0)


def test_sums_with_biases() -> None:
    x, bias, skip = noise(2, 5, 8), noise(8), noise(2, 5, 8)
    feeds, constants = {"x": x, "skip": skip}, {"bias": bias}
    check("BiasAdd", feeds, constants, ["x", "bias", "skip"], expected=[x + bias + skip])
    left, right = np.split(x + bias, 2, axis=-1)
    gelu = right * 0.5 * (1 + np.vectorize(math.erf)(right / np.sqrt(2)))
    expected = [(left * gelu).astype(np.float32)]
    check("BiasSplitGelu", {"x": x}, constants, expected=expected)


MATRICES: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((3, 4), (4, 5), {"alpha": 0.5}),
    ((2, 4, 3), (2, 4, 5), {"transA": 1}),
    ((2, 3, 4), (5, 4), {"transB": 1, "alpha": -2.0}),
    ((2, 4, 3), (2, 5, 4), {"transA": 1, "transB": 1}),
    ((3, 2, 6, 4), (2, 6, 4, 5), {"transBatchA": 1}),
    ((4, 2, 6, 3), (2, 6, 4, 5), {"transBatchA": 1, "transA": 1}),
    ((2, 6, 3, 4), (4, 2, 6, 5), {"transBatchB": 1}),
]


@pytest.mark.parametrize(("a", "b", "attributes"), MATRICES)
def test_fused_matmul(a: tuple[int, ...], b: tuple[int, ...], attributes: dict[str, Any]) -> None:
    check("FusedMatMul", {"a": noise(*a), "b": noise(*b)}, **attributes)


@pytest.mark.parametrize(
    "attributes",
    [
        {"activation": "Relu"},
        {"activation": "LeakyRelu", "activation_alpha": 0.2, "alpha": 0.5, "transB": 0},
        {"activation": "HardSigmoid", "activation_alpha": 0.3, "activation_beta": 0.4},
        {"activation": "Tanh", "beta": 2.0},
    ],
)
def test_fused_gemm(attributes: dict[str, Any]) -> None:
    check("FusedGemm", {"a": noise(3, 4)}, {"b": noise(4, 5), "c": noise(5)}, **attributes)


CONVOLUTIONS: list[dict[str, Any]] = [
    {"activation": "Relu"},
    {"activation": "LeakyRelu", "activation_params": [0.1]},
    {"activation": "Clip", "activation_params": [0.0, 0.4]},
    {"activation": "HardSigmoid", "activation_params": [0.2, 0.5], "strides": [2, 2]},
    {"activation": "Sigmoid", "pads": [1, 1, 1, 1]},
    {"activation": "Tanh", "group": 2},
]


@pytest.mark.parametrize("attributes", CONVOLUTIONS)
def test_fused_conv(attributes: dict[str, Any]) -> None:
    x, groups = noise(1, 4, 9, 9), attributes.get("group", 1)
    check("FusedConv", {"x": x}, {"w": noise(6, 4 // groups, 3, 3), "b": noise(6)}, **attributes)


def test_fused_conv_with_a_residual() -> None:
    feeds = {"x": noise(1, 4, 9, 9), "z": noise(1, 6, 7, 7)}
    constants = {"w": noise(6, 4, 3, 3), "b": noise(6)}
    check("FusedConv", feeds, constants, ["x", "w", "b", "z"], activation="Relu")


def test_convolution_with_channels_last() -> None:
    x, w, b = noise(1, 9, 8, 4), noise(6, 3, 3, 4), noise(6)
    plain = {"x": np.ascontiguousarray(x.transpose(0, 3, 1, 2))}
    first = {"w": np.ascontiguousarray(w.transpose(0, 3, 1, 2)), "b": b}
    (y,) = run_rival(make_model("Conv", 17, plain, first, pads=[1, 1, 1, 1]), plain)
    expected = [y.transpose(0, 2, 3, 1)]
    check("NhwcConv", {"x": x}, {"w": w, "b": b}, expected=expected, pads=[1, 1, 1, 1])


@pytest.mark.parametrize("skip", [(2, 5, 8), (1, 5, 8), (5, 8)])
@pytest.mark.parametrize("bias", [False, True])
def test_skip_layer_normalization(skip: tuple[int, ...], bias: bool) -> None:
    feeds = {"x": noise(2, 5, 8), "skip": noise(*skip)}
    constants = {"gamma": noise(8), "beta": noise(8)} | ({"bias": noise(8)} if bias else {})
    check("SkipLayerNormalization", feeds, constants, outputs=("y", "", "", "s"), epsilon=1e-5)
    del constants["beta"]
    check("SkipSimplifiedLayerNormalization", feeds, constants, epsilon=1e-5)


def test_normalizations_in_the_domain_of_onnx() -> None:
    feeds, constants = {"x": noise(2, 5, 8)}, {"gamma": noise(8)}
    check("SimplifiedLayerNormalization", feeds, constants, domain="", epsilon=1e-5, axis=-1)
    model = make_model(
        "LayerNormalization", 13, feeds, constants | {"beta": noise(8)}, epsilon=1e-3
    )
    for (actual,) in ours(model, feeds):
        np.testing.assert_allclose(actual, run_rival(model, feeds)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("channels_last", [0, 1])
def test_group_norm(channels_last: int) -> None:
    x, gamma, beta, skip = noise(2, 8, 5, 4), noise(8), noise(8), noise(2, 8, 5, 4)

    def placed(image: Array) -> Array:
        return np.ascontiguousarray(image.transpose(0, 2, 3, 1)) if channels_last else image

    def normalized(image: Array) -> Array:
        grouped = image.reshape(2, 4, -1).astype(np.float64)
        y = grouped - grouped.mean(-1, keepdims=True)
        y = (y / np.sqrt(grouped.var(-1, keepdims=True) + 1e-5)).reshape(image.shape)
        y = y * gamma[:, None, None] + beta[:, None, None]
        return placed((y / (1 + np.exp(-y))).astype(np.float32))

    attributes = {"groups": 4, "epsilon": 1e-5, "activation": 1, "channels_last": channels_last}
    constants = {"gamma": gamma, "beta": beta}
    check("GroupNorm", {"x": placed(x)}, constants, expected=[normalized(x)], **attributes)
    feeds, names = {"x": placed(x), "skip": placed(skip)}, ["x", "gamma", "beta", "skip"]
    expected = [normalized(x + skip), placed(x + skip)]
    outputs = ("y", "s")
    check("SkipGroupNorm", feeds, constants, names, outputs, expected=expected, **attributes)


@pytest.mark.parametrize("mask", ["none", "keys", "bias", "both", "lengths"])
@pytest.mark.parametrize("with_bias", [False, True])
def test_multi_head_attention(mask: str, with_bias: bool) -> None:
    feeds = {"q": noise(2, 5, 32), "k": noise(2, 7, 32), "v": noise(2, 7, 48)}
    constants: dict[str, Array] = {"b": noise(32 + 32 + 48)} if with_bias else {}
    names = ["q", "k", "v", "b" if with_bias else "", "", ""]
    if mask in ("keys", "both"):
        constants["m"] = np.array([[1] * 7, [1] * 4 + [0] * 3], np.int32)
        names[4] = "m"
    if mask in ("bias", "both"):
        feeds["a"] = noise(1, 4, 5, 7)
        names[5] = "a"
    if mask == "lengths":
        constants["m"] = np.array([7, 3], np.int32)
        names[4] = "m"
    check("MultiHeadAttention", feeds, constants, names, num_heads=4)


def test_multi_head_attention_by_heads_and_with_a_cache() -> None:
    feeds = {"q": noise(2, 5, 32), "k": noise(2, 4, 7, 8), "v": noise(2, 4, 7, 8)}
    check("MultiHeadAttention", feeds, num_heads=4, scale=0.2)
    feeds = {"q": noise(1, 2, 32), "k": noise(1, 2, 32), "v": noise(1, 2, 32)}
    feeds |= {"pk": noise(1, 4, 3, 8), "pv": noise(1, 4, 3, 8)}
    names, outputs = ["q", "k", "v", "", "", "", "pk", "pv"], ("y", "present_k", "present_v")
    check("MultiHeadAttention", feeds, {}, names, outputs, num_heads=4, unidirectional=1)


@pytest.mark.parametrize("unidirectional", [0, 1])
@pytest.mark.parametrize("masked", [False, True])
def test_attention_with_its_projection(unidirectional: int, masked: bool) -> None:
    feeds, constants = {"x": noise(2, 6, 32)}, {"w": noise(32, 96) / 6, "b": noise(96)}
    names = ["x", "w", "b"]
    if masked:
        constants["m"] = np.array([[1] * 6, [1] * 4 + [0] * 2], np.int32)
        names.append("m")
    check("Attention", feeds, constants, names, num_heads=4, unidirectional=unidirectional)


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("first", [True, False])
def test_rotary_embedding(interleaved: int, first: bool) -> None:
    angles = RANDOM.uniform(size=(20, 4))
    tables = {"cos": np.cos(angles).astype(np.float32), "sin": np.sin(angles).astype(np.float32)}
    positions = np.array([3]) if first else RANDOM.integers(0, 20, (2, 5))
    names = ["x", "positions", "cos", "sin"]
    for x in (noise(2, 5, 24), noise(2, 3, 5, 8)):
        feeds = {"x": x, "positions": positions}
        check("RotaryEmbedding", feeds, tables, names, interleaved=interleaved)


def test_embeddings() -> None:
    feeds = {"ids": RANDOM.integers(0, 9, (2, 5)).astype(np.int32)}
    feeds |= {"segments": RANDOM.integers(0, 2, (2, 5)).astype(np.int32)}
    constants = {"word": noise(9, 8), "position": noise(6, 8), "segment": noise(2, 8)}
    constants |= {"gamma": noise(8), "beta": noise(8)}
    constants |= {"mask": np.array([[1] * 5, [1, 1, 1, 0, 0]], np.int32)}
    check("EmbedLayerNormalization", feeds, constants, outputs=("y", "m"), epsilon=1e-5)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_inverse(n: int) -> None:
    check("Inverse", {"x": noise(3, n, n) + 2 * np.eye(n, dtype=np.float32)}, tolerance=1e-3)


def test_more_inverses_than_memory_holds() -> None:
    b = Builder()
    graph = b.graph(b.op("Inverse", b.input(1 << 38, 3, 3)))
    with pytest.raises(ShapeError, match="larger than any memory"):
        pyhades.compile(graph)


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean"])
def test_distances(metric: str) -> None:
    feeds = {"a": noise(5, 6), "b": noise(7, 6)}
    check("CDist", feeds, metric=metric, tolerance=1e-4)


def test_movement() -> None:
    check("ExpandDims", {"x": noise(2, 3)}, {"axis": np.array(1, np.int32)})
    check("Trilu", {"x": noise(4, 5)}, upper=0)
    check("Pad", {"x": noise(2, 3)}, {"pads": np.array([0, 1, 1, 0])})
    feeds, weight = {"x": noise(1, 2, 4, 4)}, noise(2, 3, 3, 3)
    constants = {"w": weight, "pads": np.array([1, 1, 1, 1])}
    check("ConvTransposeWithDynamicPads", feeds, constants, strides=[2, 2])


@pytest.mark.parametrize("network", ["u2net", "swin"])
def test_files_that_onnxruntime_has_optimised(network: str, tmp_path: Path) -> None:
    """Saved at ORT_ENABLE_EXTENDED, read, and compared with the original."""
    source, saved = tmp_path / "model.onnx", tmp_path / "optimised.onnx"
    if network == "u2net":
        write_u2net(source, 64, small=True)
    else:
        write_swin(source, 64, SwinConfig.tiny())
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(saved)
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    domains = {node.domain for node in onnx.load(saved).graph.node}
    assert "com.microsoft" in domains, "nothing was fused: another network is needed"
    (described,) = session.get_inputs()
    feeds = {described.name: noise(*described.shape)}
    with pyhades.compile(load_onnx(saved)) as program:
        results = list(program.run(feeds).values())
    for actual, expected in zip(results, session.run(None, feeds), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-3)


def test_blocked_files_are_refused_with_the_remedy() -> None:
    model = model_of(
        "Conv",
        {"x": noise(1, 8, 4, 4)},
        {"w": noise(8, 8, 1, 1)},
        None,
        ["y"],
        domain="com.microsoft.nchwc",
    )
    with pytest.raises(UnsupportedOperatorError, match="save it with ORT_ENABLE_EXTENDED"):
        load_onnx(model)
