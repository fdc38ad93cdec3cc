"""Resize against float64 NumPy, onnxruntime and the reference evaluator of onnx."""

from __future__ import annotations

import itertools

import numpy as np
import onnxruntime
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from pyhades import _native, kernels
from pyhades.errors import ArgumentError
from pyhades.kernels import reference
from pyhades.numerics.byte_images import requantizing_factor
from pyhades.numerics.integers import Grid, requantize
from pyhades.numerics.interpolation import COORDINATE_MODES, NEAREST_MODES
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty

MODES = ["nearest", "linear", "cubic"]
SIZES = [((5, 7), (10, 14)), ((9, 6), (4, 11)), ((1, 5), (3, 1)), ((20, 20), (33, 80))]
CHANNELS = [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 70]


def image(shape, dtype=np.float32, channels_last=False):
    rng = np.random.default_rng(shape)
    if np.issubdtype(dtype, np.integer):
        low, high = (0, 200) if dtype in (np.uint8, np.uint16) else (-100, 100)
        return rng.integers(low, high, shape).astype(dtype)
    x = rng.standard_normal(shape).astype(dtype)
    return (
        np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) if channels_last else x
    )


def assert_close(actual, expected, x, taps=16):
    """Both passes of a float32 resize lose at most one rounding per tap and weight."""
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    bound = 8 * taps * 2.0**-24 * float(np.abs(x).max())
    np.testing.assert_allclose(actual, expected, rtol=0, atol=bound)


def channels_last_strides(shape, pixel):
    _, _, h, w = shape
    return (h * w * pixel, 1, w * pixel, pixel)


@pytest.mark.covers("resize_row_f32")
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("at", ["start", "end"])
def test_images_stay_inside_their_memory(isa, channels, mode, at):
    for inner, outer in SIZES:
        x = image((2, channels, *inner))
        expected = reference.resize(x, outer, mode=mode)
        planar = guarded(x, at=at), guarded_empty(expected.shape, at=at)
        wide = (
            guarded(x, channels_last_strides(x.shape, channels + 3), at),
            guarded_empty(
                expected.shape, strides=channels_last_strides(expected.shape, channels + 2), at=at
            ),
        )
        for source, y in (planar, wide):
            kernels.resize(source, outer, mode=mode, out=y, isa=isa)
            assert_close(y, expected, x)
            assert_gaps_untouched(y)


@pytest.mark.covers("resize_row_u8")
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("coordinates", ["half_pixel", "align_corners"])
@pytest.mark.parametrize("at", ["start", "end"])
def test_bytes_to_the_nearest(isa, kernels_run, channels, coordinates, at):
    """Equal to the last bit on every tier, within their memory."""
    grids = [((1.0, 0), (1.0, 0)), ((0.7, 120), (0.9, 30)), ((0.4, 3), (0.1, 9)), ((1, 9), (1, 0))]
    for (inner, outer), (x_grid, y_grid) in zip(SIZES, grids, strict=True):
        x = np.random.default_rng(channels).integers(0, 256, (2, channels, *inner), np.uint8)
        options = {
            "coordinates": coordinates,
            "rounding": "nearest",
            "x_grid": x_grid,
            "y_grid": y_grid,
        }
        expected = reference.resize(x, outer, **options)
        strides = channels_last_strides(expected.shape, channels + 2)
        wide = guarded(x, channels_last_strides(x.shape, channels + 3), at)
        for source, y in (
            (guarded(x, at=at), guarded_empty(expected.shape, np.uint8, at=at)),
            (wide, guarded_empty(expected.shape, np.uint8, strides=strides, at=at)),
        ):
            kernels.resize(source, outer, **options, out=y, isa=isa)
            np.testing.assert_array_equal(y, expected)
            assert_gaps_untouched(y)
    assert kernels_run == {f"resize_row_u8_{isa}"}


@pytest.mark.parametrize("factors", [(2, 2), (4, 1), (1, 8), (8, 4)], ids=str)
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("at", ["start", "end"])
def test_bytes_by_short_weights(isa, factors, channels, at):
    """Sums of sixteenths; whether a half goes up depends on the parity of the zero point."""
    x = np.random.default_rng(channels).integers(0, 256, (2, channels, 3, 5), np.uint8)
    x[0] = np.where(x[0] < 128, 0, 255)
    size = (3 * factors[0], 5 * factors[1])
    source = guarded(x, channels_last_strides(x.shape, channels + 3), at)
    ways = [
        {"rounding": "nearest", "x_grid": (0.3, zero), "y_grid": (0.3, zero)} for zero in (0, 7)
    ]
    for options in ({}, *ways):
        expected = reference.resize(x, size, **options)
        strides = channels_last_strides(expected.shape, channels + 2)
        y = guarded_empty(expected.shape, np.uint8, strides=strides, at=at)
        kernels.resize(source, size, **options, out=y, isa=isa)
        np.testing.assert_array_equal(y, expected)
        assert_gaps_untouched(y)


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("at", ["start", "end"])
def test_bytes_of_the_nearest_pixel(isa, kernels_run, channels, at):
    for inner, outer in SIZES:
        x = np.random.default_rng(3).integers(0, 256, (2, channels, *inner), np.uint8)
        expected = reference.resize(x, outer, mode="nearest")
        strides = channels_last_strides(expected.shape, channels + 2)
        wide = guarded(x, channels_last_strides(x.shape, channels + 3), at)
        for source, y in (
            (guarded(x, at=at), guarded_empty(expected.shape, np.uint8, at=at)),
            (wide, guarded_empty(expected.shape, np.uint8, strides=strides, at=at)),
        ):
            kernels.resize(source, outer, mode="nearest", out=y, isa=isa)
            np.testing.assert_array_equal(y, expected)
            assert_gaps_untouched(y)
    assert kernels_run == {f"resize_row_u8_{isa}"}


def test_bytes_go_on_to_another_grid(isa):
    x = np.random.default_rng(2).integers(0, 256, (1, 40, 5, 7), np.uint8)
    x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    grid, to = Grid(0.5, 20), Grid(0.3, 90)
    factor = requantizing_factor(grid, to)
    attributes = {"mode": "linear", "rounding": "nearest", "x_zero": 20, "y_zero": 20}
    attributes |= {"then_factor": factor, "then_zero": 90}
    y = np.empty((1, 10, 14, 40), np.uint8).transpose(0, 3, 1, 2)
    _native.call("resize", [x], [y], attributes, isa=isa)
    nearest = kernels.resize(x, (10, 14), rounding="nearest", x_grid=(1, 20), y_grid=(1, 20))
    np.testing.assert_array_equal(y, requantize(nearest, grid, to))


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("antialias", [False, True])
def test_bytes_to_the_nearest_in_other_modes(isa, mode, antialias):
    x = np.random.default_rng(0).integers(0, 256, (1, 24, 9, 13), np.uint8)
    options = {"mode": mode, "antialias": antialias, "rounding": "nearest"}
    for size in ((18, 26), (4, 5), (9, 20), (17, 13)):
        expected = reference.resize(x, size, **options)
        for source in (x, np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)):
            actual = kernels.resize(source, size, **options, isa=isa)
            np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("channels", [1, 3, 16, 33])
def test_bytes_are_truncated_alike(isa, kernels_run, channels):
    """By vectors where weights are short, else one by one: as the evaluator of ONNX."""
    x = np.random.default_rng(1).integers(0, 256, (1, channels, 5, 6), np.uint8)
    wide = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for size in ((10, 12), (20, 24), (7, 11)):
        expected = reference.resize(x, size)
        np.testing.assert_array_equal(kernels.resize(x, size, isa=isa), expected)
        np.testing.assert_array_equal(kernels.resize(wide, size, isa=isa), expected)
    assert kernels_run == {f"resize_row_u8_{isa}", "resize_any_u8_scalar"}


def test_what_rounds_to_the_nearest():
    for x in (np.zeros((1, 8, 4, 4), np.int8), np.zeros((1, 4, 4, 4), np.uint8)):
        with pytest.raises(ArgumentError, match="uint8"):
            kernels.resize(x, (8, 8, 8), rounding="nearest")
    with pytest.raises(ArgumentError, match="rounding"):
        kernels.resize(np.zeros((1, 8, 4, 4), np.uint8), (8, 8), rounding="up")


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize(("mode", "antialias"), [(m, a) for m in MODES for a in (False, True)])
def test_images_of_both_layouts(isa, channels, mode, antialias):
    for (inner, outer), channels_last in itertools.product(SIZES, (False, True)):
        x = image((2, channels, *inner), channels_last=channels_last)
        expected = reference.resize(x, outer, mode=mode, antialias=antialias)
        actual = kernels.resize(x, outer, mode=mode, antialias=antialias, isa=isa)
        assert_close(actual, expected, x)


@pytest.mark.parametrize("coordinates", COORDINATE_MODES)
@pytest.mark.parametrize("mode", MODES)
def test_every_coordinate_mode(isa, coordinates, mode):
    options = {"mode": mode, "coordinates": coordinates}
    if coordinates == "tf_crop_and_resize":
        options |= {"roi": (-0.2, 0.25, 0.9, 1.25), "extrapolation_value": 7.5}
    for inner, outer in SIZES:
        for channels_last in (False, True):
            x = image((1, 17, *inner), channels_last=channels_last)
            expected = reference.resize(x, outer, **options)
            assert_close(kernels.resize(x, outer, **options, isa=isa), expected, x)


@pytest.mark.covers(
    "resize_nearest_b1", "resize_nearest_b2", "resize_nearest_b4", "resize_nearest_b8"
)
def test_nearest_reads_views_of_any_dtype():
    for dtype in (np.uint8, np.uint16, np.uint32, np.uint64):
        x = image((2, 6, 5, 8), dtype)[:, ::-1, :, ::2]
        for size in ((7, 9), (9, 7, 9)):
            expected = reference.resize(x, size, mode="nearest")
            np.testing.assert_array_equal(kernels.resize(x, size, mode="nearest"), expected)


@pytest.mark.parametrize("nearest_mode", NEAREST_MODES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int8, np.int64, np.bool_])
def test_nearest_moves_any_dtype(nearest_mode, dtype):
    x = image((2, 3, 6, 5)).astype(dtype)
    for scales in ((2, 2), (0.6, 1.7), (1, 3.3)):
        options = {"scales": scales, "mode": "nearest", "nearest_mode": nearest_mode}
        np.testing.assert_array_equal(kernels.resize(x, **options), reference.resize(x, **options))


@pytest.mark.parametrize("dtype", [np.float16, np.uint8, np.float64])
def test_nearest_moves_runs_of_either_layout(dtype):
    for channels_last in (False, True):
        x = image((2, 5, 6, 7), dtype, channels_last=channels_last)
        for size in ((6, 7), (12, 7), (6, 14), (3, 9)):
            y = np.empty((2, 5, *size), dtype)
            if channels_last:
                y = np.empty((2, *size, 5), dtype).transpose(0, 3, 1, 2)
            kernels.resize(x, size, mode="nearest", out=y)
            np.testing.assert_array_equal(y, reference.resize(x, size, mode="nearest"))


@pytest.mark.parametrize(
    "dtype",
    [
        pytest.param(dtype, marks=pytest.mark.covers(f"resize_any_{name}"))
        for name, dtype in (
            ("f32", np.float32),
            ("f64", np.float64),
            ("u8", np.uint8),
            ("i8", np.int8),
            ("i32", np.int32),
        )
    ],
)
@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("antialias", [False, True])
def test_every_dtype_and_rank(dtype, mode, antialias):
    for shape, size in (((7,), (12,)), ((3, 4, 5), (5, 3, 7)), ((2, 1, 3, 4, 5), (4, 6, 3))):
        x = image(shape, dtype)
        expected = reference.resize(x, size, mode=mode, antialias=antialias)
        actual = kernels.resize(x, size, mode=mode, antialias=antialias)
        if dtype == np.float32:
            assert_close(actual, expected, x, 64)
        else:
            np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12)


def test_views_that_no_fast_kernel_reads():
    x = image((2, 9, 8, 7))[:, ::2, ::-1, ::3]
    y = np.zeros((2, 5, 10, 9), np.float32)[..., ::2]
    kernels.resize(x, (10, 5), out=y)
    assert_close(y, reference.resize(x, (10, 5)), x)


def test_channel_slices_of_a_wider_buffer():
    x = image((2, 40, 9, 8), channels_last=True)[:, 4:36]
    wide = np.zeros((2, 18, 16, 50), np.float32)
    y = wide[..., 10:42].transpose(0, 3, 1, 2)
    for mode in MODES:
        kernels.resize(x, (18, 16), mode=mode, out=y)
        assert_close(y, reference.resize(x, (18, 16), mode=mode), x)
        assert not wide[..., :10].any() and not wide[..., 42:].any()
    squeezed = np.zeros((2, 9, 16, 50), np.float32)[..., 10:42].transpose(0, 3, 1, 2)
    assert_close(kernels.resize(x, (9, 16), out=squeezed), reference.resize(x, (9, 16)), x)
    stretched = np.zeros((2, 18, 8, 50), np.float32)[..., 10:42].transpose(0, 3, 1, 2)
    assert_close(kernels.resize(x, (18, 8), out=stretched), reference.resize(x, (18, 8)), x)


def test_results_do_not_depend_on_threads():
    for x in (image((1, 64, 41, 37), channels_last=True), image((1, 1, 200, 300))):
        one = kernels.resize(x, (160, 150), threads=1)
        assert kernels.resize(x, (160, 150), threads=2).tobytes() == one.tobytes()


def test_integers_stay_constant_and_saturate():
    flat = np.full((1, 1, 7, 9), 10, np.uint8)
    assert (kernels.resize(flat, (11, 13)) == 10).all()
    step = np.zeros((1, 1, 1, 8), np.uint8)
    step[..., 4:] = 255
    cubic = kernels.resize(step, (1, 32), mode="cubic")
    assert cubic.min() == 0 and cubic.max() == 255


def onnx_model(x, scales, sizes, roi, attributes):
    inputs = ["x", "roi" if roi is not None else "", "scales" if scales is not None else ""]
    if sizes is not None:
        inputs.append("sizes")
    node = helper.make_node("Resize", inputs, ["y"], **attributes)
    constants = {"roi": roi, "scales": scales, "sizes": sizes}
    graph = helper.make_graph(
        [node],
        "resize",
        [helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)],
        [helper.make_tensor_value_info("y", helper.np_dtype_to_tensor_dtype(x.dtype), None)],
        [
            helper.make_tensor(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape, v)
            for n, v in constants.items()
            if v is not None
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


@pytest.mark.parametrize(
    "coordinates", [c for c in COORDINATE_MODES if c != "tf_half_pixel_for_nn"]
)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(10, 14), (4, 5), (16, 16)])
def test_equals_onnxruntime(coordinates, mode, size):
    x = image((1, 2, 8, 8))
    roi, options = None, {"mode": mode, "coordinates": coordinates}
    if coordinates == "tf_crop_and_resize":
        roi = np.array([0, 0, 0.1, -0.31, 1, 1, 0.9, 1.23], np.float32)
        options |= {"roi": [*roi[2:4], *roi[6:]], "extrapolation_value": 3.0}
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
    if roi is not None:
        attributes["extrapolation_value"] = 3.0
    model = onnx_model(x, None, np.array([1, 2, *size], np.int64), roi, attributes)
    (expected,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    np.testing.assert_allclose(kernels.resize(x, size, **options), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("exclude", [0, 1])
@pytest.mark.parametrize("scales", [(0.6, 0.4), (0.8, 1.5), (2, 3)])
@pytest.mark.parametrize("antialias", [0, 1])
def test_equals_the_evaluator_of_onnx(mode, exclude, scales, antialias):
    x = image((1, 2, 10, 9))
    full = np.array([1, 1, *scales], np.float32)
    attributes = {"mode": mode, "antialias": antialias, "exclude_outside": exclude}
    model = onnx_model(x, full, None, None, attributes)
    (expected,) = ReferenceEvaluator(model).run(None, {"x": x})
    actual = kernels.resize(
        x,
        scales=[float(s) for s in full[2:]],
        mode=mode,
        antialias=bool(antialias),
        exclude_outside=bool(exclude),
    )
    np.testing.assert_allclose(actual, expected, rtol=0, atol=5e-6)


def test_bad_arguments_are_named():
    x = np.zeros((1, 2, 4, 4), np.float32)
    with pytest.raises(ArgumentError, match="either"):
        kernels.resize(x)
    with pytest.raises(ArgumentError, match="cannot resize"):
        kernels.resize(x, (0, 4))
    with pytest.raises(ArgumentError, match="mode"):
        kernels.resize(x, (2, 2), mode="bilinear")
    with pytest.raises(ArgumentError, match="coordinates"):
        kernels.resize(x, (2, 2), coordinates="pixel")
    with pytest.raises(ArgumentError, match="nearest"):
        kernels.resize(x.astype(np.int16), (2, 2))
    with pytest.raises(ArgumentError, match="roi"):
        kernels.resize(x, (2, 2), coordinates="tf_crop_and_resize")
    with pytest.raises(ArgumentError, match="out"):
        kernels.resize(x, (2, 2), out=np.zeros((1, 2, 3, 2), np.float32))
