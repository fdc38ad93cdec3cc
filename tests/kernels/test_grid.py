"""Sampling at the positions of a grid, against NumPy and onnxruntime."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels import reference
from pyhades.numerics.grid import GRID_MODES, GRID_PADDINGS
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty
from tests.support.onnx_models import make_model, run_rival

CHANNELS = [1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 65]
OPTIONS = list(itertools.product(GRID_MODES, GRID_PADDINGS, (False, True)))


def image(*shape, channels_last=True):
    x = np.random.default_rng(shape).standard_normal(shape).astype(np.float32)
    if not channels_last:
        return x
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)


def positions(*shape):
    """Most of them inside."""
    return np.random.default_rng(shape).uniform(-1.7, 1.7, shape).astype(np.float32)


def assert_close(actual, expected, x):
    # Positions are float32: what they move by is seen with the slope of the image.
    bound = 2.0**-19 * max(x.shape[2:]) * np.abs(x).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=bound)


@pytest.mark.covers("grid_sample_channels_f32")
@pytest.mark.parametrize("channels", CHANNELS[1:])
def test_channels_stay_inside_their_memory(isa, channels):
    x, grid = image(2, channels, 5, 6), positions(2, 3, 7, 2)
    expected = reference.grid_sample(x, grid)
    pixel, wide = channels + 3, channels + 2
    for at in ("start", "end"):
        source = guarded(x, (30 * pixel, 1, 6 * pixel, pixel), at)
        where = guarded(grid, (42, 14, 2, 1), at)
        y = guarded_empty(expected.shape, strides=(21 * wide, 1, 7 * wide, wide), at=at)
        _native.call("grid_sample", [source, where], [y], {}, isa=isa)
        assert_close(y, expected, x)
        assert_gaps_untouched(y)


@pytest.mark.covers("grid_sample_planes_f32")
@pytest.mark.parametrize("width", CHANNELS)
def test_planes_stay_inside_their_memory(isa, width):
    x, grid = image(2, 3, 5, 6, channels_last=False), positions(2, 4, width, 2)
    expected = reference.grid_sample(x, grid)
    for at in ("start", "end"):
        source = guarded(x, (100, 33, 6, 1), at)
        where = guarded(grid, (8 * width, 2 * width, 2, 1), at)
        y = guarded_empty(expected.shape, strides=(15 * width, 5 * width, width, 1), at=at)
        _native.call("grid_sample", [source, where], [y], {}, isa=isa)
        assert_close(y, expected, x)
        assert_gaps_untouched(y)


@pytest.mark.parametrize(("mode", "padding", "align_corners"), OPTIONS)
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("spatial", [(9,), (5, 8), (3, 1, 4)])
def test_every_option(isa, mode, padding, align_corners, channels_last, spatial):
    x = image(2, 19, *spatial, channels_last=channels_last)
    grid = positions(2, *[extent + 4 for extent in spatial], len(spatial))
    expected = reference.grid_sample(x, grid, mode, padding, align_corners)
    actual = kernels.grid_sample(x, grid, mode, padding, align_corners, isa=isa)
    assert_close(actual, expected, x)


@pytest.mark.parametrize(("mode", "padding", "align_corners"), OPTIONS)
def test_equals_onnxruntime(mode, padding, align_corners):
    x, grid = image(2, 3, 6, 7, channels_last=False), positions(2, 9, 8, 2)
    attributes = {"padding_mode": padding, "align_corners": int(align_corners)}
    model = make_model("GridSample", 20, {"x": x, "grid": grid}, mode=mode, **attributes)
    (expected,) = run_rival(model, {"x": x, "grid": grid})
    assert_close(kernels.grid_sample(x, grid, mode, padding, align_corners), expected, x)


@pytest.mark.parametrize("channels", [1, 20])
@pytest.mark.parametrize(("mode", "padding", "align_corners"), OPTIONS)
def test_positions_that_are_no_places(isa, channels, mode, padding, align_corners):
    """Nothing outside of the image is read, whatever the grid holds."""
    x = image(1, channels, 4, 5)
    far = np.float32([np.nan, np.inf, -np.inf, 3e38, -3e38, 1e10, 0.25])
    grid = np.stack(np.meshgrid(far, far), axis=-1)[None]
    y = kernels.grid_sample(x, grid, mode, padding, align_corners, isa=isa)
    inside = np.float32([[[[0.25, 0.25]]]])
    expected = reference.grid_sample(x, inside, mode, padding, align_corners)
    assert_close(y[..., -1:, -1:], expected, x)
    if padding == "zeros":
        assert not y[..., :-1, :].any() and not y[..., :-1].any()


def test_what_weighs_nothing_is_not_read(isa):
    x = np.full((1, 20, 2, 2), np.inf, np.float32)
    x[:, :, 0, 0] = 1
    corner = np.float32([[[[-1, -1]]]])
    for source in (x, np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)):
        y = kernels.grid_sample(source, corner, align_corners=True, isa=isa)
        assert (y == 1).all()


def test_strides_of_every_kind(isa):
    x = image(2, 6, 8, 7)[:, ::2, ::-1, ::3]
    grid = positions(2, 5, 6, 4)[..., ::2]
    y = np.zeros((2, 3, 5, 12), np.float32)[..., ::2]
    kernels.grid_sample(x, grid, out=y, isa=isa)
    assert_close(y, reference.grid_sample(x, grid), x)


def test_results_do_not_depend_on_threads():
    grid = positions(2, 60, 70, 2)
    for x in (image(2, 32, 41, 37), image(2, 3, 41, 37, channels_last=False)):
        one = kernels.grid_sample(x, grid, threads=1)
        assert kernels.grid_sample(x, grid, threads=2).tobytes() == one.tobytes()


def test_bad_arguments_are_named():
    x, grid = image(1, 2, 3, 4), positions(1, 5, 6, 2)
    for bad in (grid[..., :1], grid[0], positions(2, 5, 6, 2)):
        with pytest.raises(ArgumentError, match="does not fit x of shape"):
            kernels.grid_sample(x, bad)
    with pytest.raises(ArgumentError, match="mode"):
        kernels.grid_sample(x, grid, "bilinear")
    with pytest.raises(ArgumentError, match="padding"):
        kernels.grid_sample(x, grid, padding="wrap")
    with pytest.raises(ArgumentError, match="no pixels"):
        kernels.grid_sample(x[:, :, :0], grid)
    with pytest.raises(ArgumentTypeError, match="float64"):
        kernels.grid_sample(x.astype(np.float64), grid)
