"""Folding against NumPy and onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels import reference
from pyhades.kernels.fold import fold_window
from pyhades.numerics.fold import block_count
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty
from tests.support.onnx_models import make_model, run_rival

WIDTHS = [1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 65]
GEOMETRIES = {
    "line": ((19,), {"kernel": [3], "strides": [2], "pads": [1, 2]}),
    "image": ((9, 21), {"kernel": [3, 3], "pads": [1, 1, 1, 1]}),
    "strided": ((9, 21), {"kernel": [4, 4], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "odd": ((9, 21), {"kernel": [2, 3], "strides": [3, 5], "pads": [0, 4, 1, 0]}),
    "apart": ((9, 21), {"kernel": [1, 2], "strides": [2, 7], "dilations": [1, 3]}),
    "dilated": ((9, 21), {"kernel": [3, 2], "dilations": [2, 9], "pads": [2, 0, 0, 3]}),
    "volume": ((4, 5, 18), {"kernel": [2, 3, 2], "strides": [1, 2, 3], "pads": [0, 1, 2] * 2}),
}


def columns_of(size, window, channels=3):
    ones = [1] * len(size)
    defaults = {"strides": ones, "pads": [0] * (2 * len(size)), "dilations": ones}
    geometry = fold_window(**{**defaults, **window})
    shape = (2, channels * int(np.prod(window["kernel"])), block_count(size, geometry))
    return np.random.default_rng(shape).standard_normal(shape).astype(np.float32)


def assert_close(actual, expected, columns):
    bound = 2.0**-23 * np.abs(columns).max() * columns.shape[1]
    np.testing.assert_allclose(actual, expected, rtol=0, atol=bound)


@pytest.mark.covers("fold_f32")
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("at", ["start", "end"])
def test_lines_stay_inside_their_memory(isa, width, stride, at):
    size = (5, width)
    window = {"kernel": [3, 3], "strides": [1, stride], "pads": [1, 1, 1, 1]}
    columns, pitch = columns_of(size, window), width + 2
    strides = (15 * pitch, 5 * pitch, pitch, 1)
    y = guarded_empty((2, 3, *size), strides=strides, at=at)
    _native.call("fold", [guarded(columns, None, at)], [y], window, isa=isa)
    assert_close(y, reference.fold(columns, size, **window), columns)
    assert_gaps_untouched(y)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_every_geometry(isa, name):
    size, window = GEOMETRIES[name]
    columns = columns_of(size, window)
    y = kernels.fold(columns, size, **window, isa=isa)
    assert_close(y, reference.fold(columns, size, **window), columns)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_equals_onnxruntime(name):
    size, window = GEOMETRIES[name]
    columns = columns_of(size, window)
    constants = {"size": np.int64(size), "kernel": np.int64(window["kernel"])}
    attributes = {key: value for key, value in window.items() if key != "kernel"}
    model = make_model("Col2Im", 18, {"columns": columns}, constants, **attributes)
    (expected,) = run_rival(model, {"columns": columns})
    assert_close(kernels.fold(columns, size, **window), expected, columns)


def test_folding_counts_how_often_blocks_overlap(isa):
    ones = np.ones((1, 9, 16 * 20), np.float32)
    y = kernels.fold(ones, (16, 20), (3, 3), pads=(1, 1, 1, 1), isa=isa)
    assert (y[..., 1:-1, 1:-1] == 9).all() and y[0, 0, 0, 0] == 4


def test_out_of_any_strides():
    size, window = GEOMETRIES["strided"]
    columns = columns_of(size, window)
    out = np.zeros((2, 9, 21, 3), np.float32).transpose(0, 3, 1, 2)
    assert kernels.fold(columns, size, **window, out=out) is out
    assert_close(out, reference.fold(columns, size, **window), columns)


def test_results_do_not_depend_on_threads():
    window = {"kernel": [4, 4], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    columns = columns_of((96, 80), window, channels=16)
    one = kernels.fold(columns, (96, 80), **window, threads=1)
    assert kernels.fold(columns, (96, 80), **window, threads=2).tobytes() == one.tobytes()


def test_bad_arguments_are_named():
    columns = np.ones((1, 4, 4), np.float32)
    with pytest.raises(ArgumentError, match="do not fit an image"):
        kernels.fold(columns, (4, 3), (2, 2))
    with pytest.raises(ArgumentError, match="do not fit an image"):
        kernels.fold(columns, (1, 1), (2, 2))
    with pytest.raises(ArgumentError, match="kernel"):
        kernels.fold(columns, (3, 3), (2,))
    with pytest.raises(ArgumentError, match="pads"):
        kernels.fold(columns, (3, 3), (2, 2), pads=(1, 1))
    with pytest.raises(ArgumentError, match="size"):
        kernels.fold(columns, (3, 0), (2, 2))
    with pytest.raises(ArgumentTypeError, match="float64"):
        kernels.fold(columns.astype(np.float64), (3, 3), (2, 2))
