"""Older spellings of operators, against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from pyhades import load_onnx
from pyhades.errors import ModelError, UnsupportedOperatorError
from pyhades.ir.interpreter import interpret
from tests.support.onnx_models import check_against_rival, make_model, run_rival

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(2, 3, 4, 5)).astype(np.float32)

CASES: list[tuple[str, int, dict[str, Any]]] = [
    ("Clip", 9, {"min": -0.5, "max": 0.25}),
    ("Clip", 9, {"max": 0.25}),
    ("Clip", 10, {}),
    ("Squeeze", 11, {"x": X[:, :1], "axes": [1]}),
    ("Squeeze", 11, {"x": X[:, :1, :1]}),
    ("Unsqueeze", 11, {"axes": [0, -1]}),
    ("ReduceMean", 11, {"axes": [1, -1], "keepdims": 0}),
    ("ReduceMean", 13, {"keepdims": 1}),
    ("ReduceSum", 11, {"axes": [2]}),
    ("ReduceMax", 12, {"axes": [0, 1]}),
    ("ReduceL2", 11, {"axes": [3]}),
    ("ReduceLogSumExp", 13, {"axes": [1]}),
    ("Slice", 9, {"starts": [1, -4], "ends": [9, -1], "axes": [0, 3]}),
    ("Slice", 9, {"starts": [0, 1], "ends": [1, 2]}),
    ("Pad", 10, {"pads": [0, 0, 1, 2, 0, 0, 3, 4], "value": 1.5}),
    ("Pad", 10, {"pads": [0, 0, 1, 2, 0, 0, 3, 4], "mode": "reflect"}),
    ("Pad", 9, {"pads": [0, 0, -1, 2, 0, 0, 0, -2], "mode": "edge"}),
    ("Softmax", 11, {"axis": 1}),
    ("Softmax", 9, {}),
    ("Softmax", 11, {"axis": 3}),
    ("Softmax", 11, {"axis": -1}),
    ("Softmax", 11, {"axis": 0}),
    ("LogSoftmax", 12, {"axis": 2}),
    ("Dropout", 9, {"ratio": 0.25}),
    ("Dropout", 10, {"ratio": 0.25}),
    ("Split", 11, {"split": [1, 3], "axis": 2, "outputs": 2}),
    ("Split", 11, {"axis": 2, "outputs": 2}),
    ("Split", 13, {"axis": 2, "outputs": 4}),
    ("TopK", 9, {"k": 2, "axis": 3, "outputs": 2}),
    ("Flatten", 9, {"axis": 2}),
    ("Cast", 9, {"to": 7}),
    ("ArgMax", 11, {"axis": 2, "keepdims": 0}),
    ("DepthToSpace", 10, {"x": X.reshape(1, 12, 2, 5), "blocksize": 2}),
    ("MaxPool", 8, {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("AveragePool", 7, {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    ("Celu", 12, {"alpha": 2.0}),
]


@pytest.mark.parametrize(("op", "opset", "arguments"), CASES)
def test_attributes_of_old(op: str, opset: int, arguments: dict[str, Any]) -> None:
    arguments = dict(arguments)
    check_against_rival(op, opset, {"x": arguments.pop("x", X)}, **arguments)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize(
    ("op", "opset", "scales"),
    [
        ("Upsample", 9, [1, 1, 2, 3]),
        ("Upsample", 9, [1, 1, 1.5, 2.5]),
        ("Resize", 10, [1, 1, 2, 1.6]),
        ("Resize", 10, [1, 1, 0.5, 0.6]),
    ],
)
def test_resize_of_old(op: str, opset: int, scales: list[float], mode: str) -> None:
    constants = {"scales": np.array(scales, np.float32)}
    check_against_rival(op, opset, {"x": X}, constants, mode=mode)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_resize_11_with_empty_scales(mode: str) -> None:
    empty = np.zeros(0, np.float32)
    constants = {"roi": empty, "scales": empty, "sizes": np.array([2, 3, 7, 9], np.int64)}
    check_against_rival(
        "Resize", 11, {"x": X}, constants, mode=mode, coordinate_transformation_mode="half_pixel"
    )


def test_resize_11_tf_half_pixel_for_nn() -> None:
    constants = {"roi": np.zeros(0, np.float32), "scales": np.array([1, 1, 0.5, 1.6], np.float32)}
    check_against_rival(
        "Resize",
        11,
        {"x": X},
        constants,
        mode="nearest",
        coordinate_transformation_mode="tf_half_pixel_for_nn",
        nearest_mode="floor",
    )


def test_resize_10_that_grows_and_shrinks_is_refused() -> None:
    constants = {"scales": np.array([1, 1, 0.5, 2], np.float32)}
    with pytest.raises(UnsupportedOperatorError, match="some axes grow and some shrink"):
        load_onnx(make_model("Resize", 10, {"x": X}, constants, mode="nearest"))


def test_batch_normalization_9() -> None:
    names = ("scale", "bias", "mean", "variance")
    constants = {name: RANDOM.uniform(0.5, 2, 3).astype(np.float32) for name in names}
    check_against_rival("BatchNormalization", 9, {"x": X}, constants, epsilon=1e-3)


def test_scatter_9() -> None:
    indices = np.array([[[[0, 1, 3]]]], np.int64)
    constants = {"indices": indices, "updates": np.ones((1, 1, 1, 3), np.float32)}
    check_against_rival("Scatter", 10, {"x": X}, constants, axis=2)


def test_group_normalization_18_scales_groups() -> None:
    x = RANDOM.normal(size=(2, 6, 3, 3)).astype(np.float32)
    scale, bias = np.array([2, 3], np.float32), np.array([1, -1], np.float32)
    model = make_model(
        "GroupNormalization", 18, {"x": x}, {"scale": scale, "bias": bias}, num_groups=2
    )
    graph = load_onnx(model)
    grouped = x.reshape(2, 2, -1)
    centred = grouped - grouped.mean(-1, keepdims=True)
    expected = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    expected = expected * scale[:, None] + bias[:, None]
    result = interpret(graph, {"x": x})["y0"]
    np.testing.assert_allclose(result, expected.reshape(x.shape), atol=1e-5)


def test_an_operator_before_its_opset_is_refused() -> None:
    proto = onnx.load_from_string(make_model("Gelu", 20, {"x": X}))
    proto.opset_import[0].version = 15
    with pytest.raises(ModelError, match="Gelu exists since opset 20, the file says 15"):
        load_onnx(proto.SerializeToString())


def test_clip_bounds_keep_integers() -> None:
    bounds = {"low": np.array(-2, np.int64), "high": np.array(2**60 + 1, np.int64)}
    x = np.array([-5, 2**60, 2**61], np.int64)
    check_against_rival("Clip", 12, {"x": x}, bounds, atol=0)
    assert run_rival(make_model("Clip", 12, {"x": x}, bounds), {"x": x})[0][2] == 2**60 + 1
