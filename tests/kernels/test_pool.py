"""Pooling against NumPy and onnxruntime."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from pyhades import _native, kernels
from pyhades.errors import ArgumentError
from pyhades.kernels import reference
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty

CHANNELS = [1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 130]
GEOMETRIES = [
    {"kernel": (2, 2)},
    {"kernel": (2, 2), "strides": (2, 2), "ceil_mode": True},
    {"kernel": (3, 3), "strides": (1, 1), "pads": (1, 1, 1, 1)},
    {"kernel": (3, 2), "strides": (2, 3), "pads": (2, 0, 1, 1), "dilations": (2, 1)},
    {"kernel": (5, 5), "strides": (1, 1), "pads": (2, 2, 2, 2)},
    {"kernel": (3, 3), "strides": (3, 2), "pads": (0, 2, 2, 0), "ceil_mode": True},
]


def image(shape, dtype=np.float32, channels_last=True):
    rng = np.random.default_rng(shape)
    if dtype in (np.uint8, np.int8):
        x = rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, shape, dtype)
    else:
        x = rng.standard_normal(shape).astype(dtype)
    return (
        np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) if channels_last else x
    )


def channels_last_strides(shape, pixel):
    _, _, h, w = shape
    return (h * w * pixel, 1, w * pixel, pixel)


@pytest.mark.covers("max_pool_f32", "average_pool_f32")
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("at", ["start", "end"])
def test_slices_of_wider_pixels_stay_inside_their_memory(isa, channels, geometry, at):
    x = image((2, channels, 7, 8))
    expected = reference.max_pool(x, **geometry)
    source = guarded(x, channels_last_strides(x.shape, channels + 3), at)
    strides = channels_last_strides(expected.shape, channels + 2)
    for op in ("max_pool", "average_pool"):
        y = guarded_empty(expected.shape, strides=strides, at=at)
        _native.call(op, [source], [y], native_attributes(geometry), isa=isa)
        assert_gaps_untouched(y)
        if op == "max_pool":
            np.testing.assert_array_equal(y, expected)


BYTE_GEOMETRIES = [*GEOMETRIES, {"kernel": (7, 8)}]
GRIDS = [((1.0, 0), (1.0, 0)), ((0.3, 120), (0.4, 30)), ((0.07, 3), (0.03, 255))]


@pytest.mark.covers("max_pool_u8", "average_pool_u8")
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("geometry", BYTE_GEOMETRIES)
@pytest.mark.parametrize("at", ["start", "end"])
def test_bytes(isa, kernels_run, channels, geometry, at):
    """Equal to the last bit on every tier, within their memory."""
    x = image((2, channels, 7, 8), np.uint8)
    source = guarded(x, channels_last_strides(x.shape, channels + 3), at)
    for (x_grid, y_grid), include in zip(GRIDS, (0, 1, 0), strict=True):
        names = ("x_scale", "x_zero", "y_scale", "y_zero")
        options = {
            "count_include_pad": include,
            **dict(zip(names, (*x_grid, *y_grid), strict=True)),
        }
        expected = reference.average_pool(
            x, **geometry, count_include_pad=bool(include), x_grid=x_grid, y_grid=y_grid
        )
        strides = channels_last_strides(expected.shape, channels + 2)
        y = guarded_empty(expected.shape, np.uint8, strides=strides, at=at)
        attributes = native_attributes(geometry) | options
        _native.call("average_pool", [source], [y], attributes, isa=isa)
        assert_gaps_untouched(y)
        np.testing.assert_array_equal(y, expected)
    y = guarded_empty(expected.shape, np.uint8, strides=strides, at=at)
    _native.call("max_pool", [source], [y], native_attributes(geometry), isa=isa)
    assert_gaps_untouched(y)
    np.testing.assert_array_equal(y, reference.max_pool(x, **geometry))
    assert kernels_run == {f"max_pool_u8_{isa}", f"average_pool_u8_{isa}"}


def test_means_of_bytes_by_hand():
    """Halves go to even; the sum of a large window is exact."""
    x = np.array([1, 2, 3, 4, 250, 255], np.uint8).reshape(1, 1, 3, 2)
    np.testing.assert_array_equal(kernels.average_pool(x, (1, 2)).ravel(), [2, 4, 252])
    large = np.full((1, 8, 200, 200), 255, np.uint8)
    large[..., ::2] = 254
    large = np.ascontiguousarray(large.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert (kernels.average_pool(large, (200, 200)) == 254).all()


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_channels_last_float32(isa, channels, geometry):
    x = image((2, channels, 9, 11))
    np.testing.assert_array_equal(
        kernels.max_pool(x, **geometry, isa=isa), reference.max_pool(x, **geometry)
    )
    for include in (False, True):
        actual = kernels.average_pool(x, **geometry, count_include_pad=include, isa=isa)
        expected = reference.average_pool(x, **geometry, count_include_pad=include)
        taps = geometry["kernel"][0] * geometry["kernel"][1]
        bound = taps * 2.0**-24 * np.abs(x).max()
        np.testing.assert_allclose(actual, expected, rtol=0, atol=bound)


@pytest.mark.covers("max_pool_indices_f32")
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("storage_order", [0, 1])
def test_indices_of_channels_last(isa, kernels_run, channels, geometry, storage_order):
    x = image((2, channels, 7, 8))
    x[0, :, 2:4] = 0.5  # equal elements: the first wins
    x[1, 0, 0] = np.nan
    x[1, :, 4:] = -np.inf
    expected, where = reference.max_pool(x, **geometry, return_indices=True)
    if storage_order == 1:
        plane, place = np.divmod(where, 7 * 8)
        where = plane * 7 * 8 + place % 8 * 7 + place // 8
    y = guarded_empty(expected.shape, strides=channels_last_strides(expected.shape, channels + 2))
    indices = np.full_like(where, -1)
    attributes = native_attributes(geometry) | {"storage_order": storage_order}
    source = guarded(x, channels_last_strides(x.shape, channels))
    _native.call("max_pool", [source], [y, indices], attributes, isa=isa)
    assert kernels_run == {f"max_pool_indices_f32_{isa}"}
    assert_gaps_untouched(y)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(indices, where)


@pytest.mark.parametrize(
    "dtype",
    [
        pytest.param(dtype, marks=pytest.mark.covers(f"max_pool_any_{name}"))
        for name, dtype in (
            ("f32", np.float32),
            ("f64", np.float64),
            ("u8", np.uint8),
            ("i8", np.int8),
        )
    ],
)
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_every_dtype_with_indices(dtype, geometry):
    for channels_last in (False, True):
        x = image((2, 5, 8, 9), dtype, channels_last)
        expected, where = reference.max_pool(x, **geometry, return_indices=True)
        actual, indices = kernels.max_pool(x, **geometry, return_indices=True)
        np.testing.assert_array_equal(actual, expected)
        np.testing.assert_array_equal(indices, where)
        np.testing.assert_array_equal(kernels.max_pool(x, **geometry), expected)


@pytest.mark.parametrize(
    "dtype",
    [
        pytest.param(np.float32, marks=pytest.mark.covers("average_pool_any_f32")),
        pytest.param(np.float64, marks=pytest.mark.covers("average_pool_any_f64")),
    ],
)
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_average_of_any_layout(dtype, geometry):
    x = image((2, 5, 8, 9), dtype, channels_last=False)
    expected = reference.average_pool(x, **geometry, count_include_pad=True)
    actual = kernels.average_pool(x, **geometry, count_include_pad=True)
    np.testing.assert_allclose(
        actual, expected, rtol=0, atol=1e-5 if dtype is np.float32 else 1e-14
    )


def run_onnx(op, x, attributes, outputs=1):
    names = ["y", "indices"][:outputs]
    node = helper.make_node(op, ["x"], names, **attributes)
    kinds = [helper.np_dtype_to_tensor_dtype(x.dtype), TensorProto.INT64]
    graph = helper.make_graph(
        [node],
        "pool",
        [helper.make_tensor_value_info("x", kinds[0], x.shape)],
        [helper.make_tensor_value_info(n, k, None) for n, k in zip(names, kinds, strict=False)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"x": x})


@pytest.mark.parametrize("storage_order", [0, 1])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_max_pool_equals_onnxruntime(geometry, storage_order):
    x = image((2, 3, 9, 7), channels_last=False)
    attributes = onnx_attributes(geometry, storage_order=storage_order)
    expected, where = run_onnx("MaxPool", x, attributes, 2)
    y, indices = np.empty_like(expected), np.empty_like(where)
    native = native_attributes(geometry) | {"storage_order": storage_order}
    _native.call("max_pool", [x], [y, indices], native)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(indices, where)


@pytest.mark.parametrize("include", [0, 1])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_average_pool_equals_onnxruntime(geometry, include):
    x = image((2, 3, 9, 7), channels_last=False)
    (expected,) = run_onnx("AveragePool", x, onnx_attributes(geometry, count_include_pad=include))
    actual = kernels.average_pool(x, **geometry, count_include_pad=bool(include))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)


def onnx_attributes(geometry, **more):
    names = {"kernel": "kernel_shape", "ceil_mode": "ceil_mode"}
    attributes = {names.get(k, k): v for k, v in geometry.items()}
    attributes["ceil_mode"] = int(geometry.get("ceil_mode", False))
    attributes.setdefault("strides", geometry["kernel"])
    return attributes | more


def native_attributes(geometry):
    attributes = {k: list(v) for k, v in geometry.items() if k != "ceil_mode"}
    return {"strides": list(geometry["kernel"])} | attributes


def test_nan_never_wins_and_minus_infinity_can(isa):
    x = np.full((1, 20, 4, 4), np.nan, np.float32)
    x[..., 0, 0] = 3
    x[..., 2:, :] = -np.inf
    x = np.asfortranarray(x.transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2)
    y = kernels.max_pool(x, (2, 2), isa=isa)
    assert (y[..., 0, 0] == 3).all() and (y[..., 1, :] == -np.inf).all()


def test_results_do_not_depend_on_threads():
    x = image((1, 64, 161, 97))
    for pool in (kernels.max_pool, kernels.average_pool):
        one = pool(x, (3, 3), (2, 2), (1, 1, 1, 1), threads=1)
        assert pool(x, (3, 3), (2, 2), (1, 1, 1, 1), threads=2).tobytes() == one.tobytes()


def test_bad_arguments_are_named():
    x = np.zeros((1, 2, 5, 5), np.float32)
    with pytest.raises(ArgumentError, match="kernel"):
        kernels.max_pool(x, (0, 2))
    with pytest.raises(ArgumentError, match="pads"):
        kernels.max_pool(x, (2, 2), pads=(1, 1))
    with pytest.raises(ArgumentError, match="does not fit"):
        kernels.average_pool(x, (6, 2))
    with pytest.raises(ArgumentError, match="dtype int32"):
        kernels.max_pool(x.astype(np.int32), (2, 2))
    with pytest.raises(ArgumentError, match="out"):
        kernels.max_pool(x, (2, 2), out=np.zeros((1, 2, 3, 3), np.float32))
