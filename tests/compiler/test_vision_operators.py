"""Sampling, deformable convolution, folding, recurrent layers: dtypes and layouts of programs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyhades
from pyhades.errors import UnsupportedOperatorError
from pyhades.ir.interpreter import interpret
from tests.support.onnx_models import make_model

Array = np.ndarray[Any, Any]


def half(*shape: int) -> Array:
    numbers = np.random.default_rng(shape).standard_normal(shape) / 2
    return numbers.astype(np.float16)


X, OFFSETS = half(1, 4, 8, 8), half(1, 18, 8, 8)
BOX, FIRST = np.float16([[0, 1, 5, 6]]), np.int64([0])
SIZES = {"image": np.int64([4, 4]), "block": np.int64([2, 2])}
LAYER = {"w": half(1, 12, 4), "r": half(1, 12, 3)}
CASES: dict[str, tuple[str, dict[str, Array], dict[str, Array], dict[str, Any]]] = {
    "DeformConv": (
        "DeformConv",
        {"x": X, "offset": OFFSETS},
        {"w": half(6, 4, 3, 3)},
        {"inputs": ["x", "w", "offset"], "pads": [1] * 4},
    ),
    "GridSample": ("GridSample", {"x": X, "grid": half(1, 5, 6, 2)}, {}, {}),
    "RoiAlign": (
        "RoiAlign",
        {"x": X, "rois": BOX, "images": FIRST},
        {},
        {"output_height": 2, "output_width": 3},
    ),
    "Col2Im": ("Col2Im", {"columns": half(1, 16, 9)}, SIZES, {}),
    "LSTM": (
        "LSTM",
        {"x": half(5, 2, 4), "lengths": np.int32([5, 2])},
        LAYER,
        {"inputs": ["x", "w", "r", "", "lengths"], "hidden_size": 3, "outputs": 3},
    ),
    "LRN": ("LRN", {"x": X}, {}, {"size": 3}),
    "LpPool": ("LpPool", {"x": X}, {}, {"kernel_shape": [2, 2]}),
}


@pytest.mark.parametrize("name", CASES)
def test_half_precision_is_rounded_once(name: str) -> None:
    op, feeds, constants, rest = CASES[name]
    model = make_model(op, 22 if op != "LRN" else 13, feeds, constants, **rest)
    expected = interpret(pyhades.load_onnx(model), feeds)
    with pyhades.compile(pyhades.load_onnx(model)) as program:
        actual = program.run(feeds)
    for key, value in expected.items():
        assert actual[key].dtype == value.dtype == np.float16
        np.testing.assert_allclose(actual[key], value, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("dtype", ["float64", "int32"])
def test_what_no_kernel_folds_is_refused(dtype: str) -> None:
    model = make_model("Col2Im", 18, {"columns": np.ones((1, 16, 9), dtype)}, SIZES)
    with pytest.raises(UnsupportedOperatorError, match="columns must be float32"):
        pyhades.compile(pyhades.load_onnx(model))


@pytest.mark.parametrize(("channels", "kernel"), [(8, "channels"), (3, "planes")])
def test_images_of_many_channels_are_sampled_pixel_by_pixel(channels: int, kernel: str) -> None:
    x, grid = np.ones((1, channels, 6, 6), np.float32), np.zeros((1, 9, 9, 2), np.float32)
    model = make_model("GridSample", 20, {"x": x, "grid": grid})
    with pyhades.compile(pyhades.load_onnx(model)) as program:
        assert f"grid_sample_{kernel}_f32" in {
            line.kernel.rsplit("_", 1)[0] for line in program.lines
        }
        assert (program.run({"x": x, "grid": grid})["y0"] == 1).all()
