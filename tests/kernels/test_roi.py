"""Pooling over regions against NumPy and onnxruntime."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels import reference
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty
from tests.support.onnx_models import make_model, run_rival

CHANNELS = [1, 3, 7, 8, 9, 15, 16, 17, 33, 65]
BOXES = np.float32(
    [[0.3, 1.2, 7.7, 6.9], [-3.1, -2.2, 4.6, 3.3], [5.1, 4.2, 30.7, 21.4], [2.2, 2.4, 2.9, 2.7],
     [40.3, 40.1, 50.2, 50.9], [6.6, 5.5, 1.3, 2.2]]
)  # fmt: skip
IMAGES = np.int64([0, 1, 0, 1, 1, 0])
NUMBERED = np.concatenate([IMAGES[:, None].astype(np.float32), BOXES], axis=1)
OPTIONS = list(itertools.product(("average", "max"), (0, 2), (False, True)))


def image(channels, size=(9, 11)):
    x = np.random.default_rng(channels).standard_normal((2, *size, channels))
    return x.astype(np.float32).transpose(0, 3, 1, 2)


def assert_close(actual, expected, x):
    # Positions are float32, which an image sees with its slope.
    bound = 2.0**-18 * max(x.shape[2:]) * np.abs(x).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=bound)


@pytest.mark.covers("roi_align_average_f32", "roi_align_max_f32", "roi_max_pool_f32")
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("at", ["start", "end"])
def test_operands_stay_inside_their_memory(isa, channels, at):
    x, pixel, wide = image(channels), channels + 3, channels + 2
    source = guarded(x, (99 * pixel, 1, 11 * pixel, pixel), at)
    boxes, numbered = guarded(BOXES, (6, 1), at), guarded(NUMBERED, None, at)
    images = guarded(IMAGES, None, at)
    strides = (12 * wide, 1, 4 * wide, wide)
    for mode in ("average", "max"):
        y = guarded_empty((6, channels, 3, 4), strides=strides, at=at)
        _native.call("roi_align", [source, boxes, images], [y], {"mode": mode}, isa=isa)
        assert_close(y, reference.roi_align(x, BOXES, IMAGES, (3, 4), mode), x)
        assert_gaps_untouched(y)
    y = guarded_empty((6, channels, 3, 4), strides=strides, at=at)
    _native.call("roi_max_pool", [source, numbered], [y], {}, isa=isa)
    np.testing.assert_array_equal(y, reference.roi_max_pool(x, NUMBERED, (3, 4)))
    assert_gaps_untouched(y)


@pytest.mark.parametrize(("mode", "sampling_ratio", "half_pixel"), OPTIONS)
def test_every_option(isa, mode, sampling_ratio, half_pixel):
    x = image(20)
    options = (mode, sampling_ratio, 0.7, half_pixel)
    for source in (x, np.ascontiguousarray(x)):
        y = kernels.roi_align(source, BOXES, IMAGES, (5, 2), *options, isa=isa)
        assert_close(y, reference.roi_align(x, BOXES, IMAGES, (5, 2), *options), x)
    y = kernels.roi_max_pool(x, NUMBERED, (5, 2), 0.7, isa=isa)
    np.testing.assert_array_equal(y, reference.roi_max_pool(x, NUMBERED, (5, 2), 0.7))


@pytest.mark.parametrize(("mode", "sampling_ratio", "half_pixel"), OPTIONS)
def test_align_equals_onnxruntime(mode, sampling_ratio, half_pixel):
    x = np.ascontiguousarray(image(5))
    feeds = {"x": x, "rois": BOXES[:4], "images": IMAGES[:4]}
    model = make_model(
        "RoiAlign",
        16,
        feeds,
        mode="avg" if mode == "average" else "max",
        output_height=3,
        output_width=4,
        sampling_ratio=sampling_ratio,
        spatial_scale=0.7,
        coordinate_transformation_mode="half_pixel" if half_pixel else "output_half_pixel",
    )
    options = (mode, sampling_ratio, 0.7, half_pixel)
    actual = kernels.roi_align(x, BOXES[:4], IMAGES[:4], (3, 4), *options)
    assert_close(actual, run_rival(model, feeds)[0], x)


def test_max_pool_equals_onnxruntime():
    x = np.ascontiguousarray(image(5))
    rois = np.abs(NUMBERED[[0, 2, 3]])
    feeds = {"x": x, "rois": rois}
    model = make_model("MaxRoiPool", 11, feeds, pooled_shape=[3, 4], spatial_scale=0.7)
    actual = kernels.roi_max_pool(x, rois, (3, 4), 0.7)
    np.testing.assert_array_equal(actual, run_rival(model, feeds)[0])


def test_regions_that_are_nowhere(isa):
    """They end, at once, and read nothing outside of the image."""
    x = image(20)
    numbers = np.float32([np.nan, np.inf, -np.inf, 3e38, -3e38, 1e9, -1e9, 0, 4])
    boxes = np.array(list(itertools.product(numbers, repeat=2)), np.float32)
    boxes = np.concatenate([boxes, boxes[::-1]], axis=1)
    images = np.resize(np.int64([0, 1, 2, -1, 2**40]), len(boxes))
    for mode, ratio, half_pixel in OPTIONS:
        options = (mode, ratio, 1.0, half_pixel)
        y = kernels.roi_align(x, boxes, images, (2, 2), *options, isa=isa)
        assert not y[(images < 0) | (images > 1)].any()
    column = np.resize(np.float32([0, 1, 2, -1, np.nan]), len(boxes))[:, None]
    y = kernels.roi_max_pool(x, np.concatenate([column, boxes], axis=1), (2, 2), isa=isa)
    assert not y[~((column[:, 0] >= 0) & (column[:, 0] <= 1))].any()


def test_a_region_of_the_whole_image_and_far_more(isa):
    x = image(16)
    huge = np.float32([[-9e5, -9e5, 1e6, 1e6]])
    y = kernels.roi_align(x, huge, np.int64([1]), (1, 1), "max", isa=isa)
    assert 0 < y.min() <= y.max() <= x[1].max()


def test_results_do_not_depend_on_threads():
    x, boxes, images = image(48), np.tile(BOXES, (9, 1)), np.tile(IMAGES, 9)
    one = kernels.roi_align(x, boxes, images, (7, 7), threads=1)
    assert kernels.roi_align(x, boxes, images, (7, 7), threads=2).tobytes() == one.tobytes()


def test_bad_arguments_are_named():
    x = image(3)
    with pytest.raises(ArgumentError, match="rois has shape"):
        kernels.roi_align(x, NUMBERED, IMAGES, (2, 2))
    with pytest.raises(ArgumentError, match="images has shape"):
        kernels.roi_align(x, BOXES, IMAGES[:3], (2, 2))
    with pytest.raises(ArgumentTypeError, match="images has dtype"):
        kernels.roi_align(x, BOXES, IMAGES.astype(np.int32), (2, 2))
    with pytest.raises(ArgumentError, match="bins"):
        kernels.roi_align(x, BOXES, IMAGES, (0, 2))
    with pytest.raises(ArgumentError, match="mode"):
        kernels.roi_align(x, BOXES, IMAGES, (2, 2), "avg")
    with pytest.raises(ArgumentError, match="sampling_ratio"):
        kernels.roi_align(x, BOXES, IMAGES, (2, 2), sampling_ratio=-1)
    with pytest.raises(ArgumentError, match="rois has shape"):
        kernels.roi_max_pool(x, BOXES, (2, 2))
    with pytest.raises(ArgumentError, match="no pixels"):
        kernels.roi_max_pool(x[:, :, :0], NUMBERED, (2, 2))
