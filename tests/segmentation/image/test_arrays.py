"""Arrays and images of numbers: what they mean is clear, said, or asked about."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pyhades.errors import ArgumentError, ImageError
from pyhades.segmentation.image.reading import load_image
from tests.support.image_files import encoded

RAMP = np.array([[0.0, 0.25, 0.5, 1.0]])


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "=u2"])
def test_sixteen_bits_in_any_order_of_bytes(dtype):
    samples = np.array([[0, 256, 32768, 65535]])
    loaded = load_image(samples.astype(dtype))
    assert loaded.rgb[0, :, 0].tolist() == [0, 1, 128, 255]
    np.testing.assert_array_equal(loaded.deep[..., 1], samples)


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "f2", ">f8"])
@pytest.mark.parametrize("white", [1, 255, 1000])
def test_floats_with_a_stated_range(dtype, white):
    loaded = load_image((RAMP * white).astype(dtype), value_range=(0, white))
    assert loaded.rgb[0, :, 2].tolist() == [0, 64, 128, 255]
    np.testing.assert_allclose(loaded.deep[0, :, 0], RAMP[0] * 65535, atol=1)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.int8, np.uint32, np.complex64, object])
def test_numbers_without_a_range_are_asked_about(dtype):
    with pytest.raises(ImageError, match=r"value_range|holds no numbers"):
        load_image(np.zeros((4, 4, 3), dtype))


def test_eight_bits_in_uint16_are_asked_about():
    """Read as 16 bits, such a picture would be black."""
    samples = np.arange(256, dtype=np.uint16)[None]
    for given in (samples, samples.astype(">u2"), Image.fromarray(samples)):
        with pytest.raises(ImageError, match=r"value_range=\(0, 255\)"):
            load_image(given)
        loaded = load_image(given, value_range=(0, 255))
        np.testing.assert_array_equal(loaded.rgb[0, :, 0], np.arange(256))
        assert load_image(given, value_range=(0, 65535)).rgb.max() == 1
    assert load_image(np.zeros((4, 4), np.uint16)).rgb.max() == 0


def test_a_dark_file_of_sixteen_bits_says_what_it_means():
    samples = np.arange(256, dtype=np.uint16)[None]
    assert load_image(encoded(Image.fromarray(samples))).deep.max() == 255


def test_cameras_of_twelve_bits_and_negatives():
    samples = np.array([[0, 4095]], np.uint16)
    assert load_image(samples, value_range=(0, 4095)).rgb[0, :, 0].tolist() == [0, 255]
    assert load_image(samples, value_range=(4095, 0)).rgb[0, :, 0].tolist() == [255, 0]


@pytest.mark.parametrize("wrong", [255.0, -1.0, np.nan, np.inf])
def test_numbers_out_of_the_range_are_not_clipped(wrong):
    array = np.array([[0.0, 1.0, wrong]], np.float32)
    with pytest.raises(ImageError, match="not within value_range"):
        load_image(array, value_range=(0, 1))


def test_overshoot_of_resampling_is_clipped():
    loaded = load_image(np.array([[-0.05, 1.05]], np.float32), value_range=(0, 1))
    assert loaded.rgb[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize("value_range", [(0, 0), (0,), "ab", 1, (0, np.nan)])
def test_ranges_that_are_none(value_range):
    with pytest.raises(ArgumentError, match="value_range"):
        load_image(np.zeros((4, 4), np.float32), value_range=value_range)


def test_truth_values_are_black_and_white():
    assert load_image(np.array([[False, True]])).rgb[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize("mode", ["F", "I"])
def test_images_of_numbers_with_a_stated_range(mode):
    image = Image.fromarray(np.array([[0, 500, 1000]], np.float32 if mode == "F" else np.int32))
    assert load_image(image, value_range=(0, 1000)).rgb[0, :, 0].tolist() == [0, 128, 255]
    file = encoded(image, "TIFF")
    assert load_image(file, value_range=(0, 1000)).rgb[0, :, 0].tolist() == [0, 128, 255]


def test_alpha_and_the_order_of_channels():
    array = np.arange(16, dtype=np.uint8).reshape(2, 2, 4)
    loaded = load_image(array, channel_order="bgr")
    np.testing.assert_array_equal(loaded.rgb, array[..., 2::-1])
    np.testing.assert_array_equal(loaded.alpha, array[..., 3])
    deep = load_image(array.astype(np.uint16) * 257, channel_order="bgr")
    np.testing.assert_array_equal(deep.rgb, array[..., 2::-1])
    np.testing.assert_array_equal(deep.deep_alpha, array[..., 3] * np.uint16(257))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_result_is_a_copy(channels):
    array = np.full((4, 4, channels), 200, np.uint8)
    loaded = load_image(array)
    array[:] = 0
    assert (loaded.rgb == 200).all()
    assert loaded.alpha is None or (loaded.alpha == 200).all()


def test_arrays_that_lie_in_memory_in_any_way():
    array = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)
    for view in (array[::-1, ::2], array.transpose(1, 0, 2), np.asfortranarray(array)):
        loaded = load_image(view)
        np.testing.assert_array_equal(loaded.rgb, view)
        assert loaded.rgb.flags.c_contiguous


def test_kinds_of_arrays():
    numbers = [[0, 128], [255, 7]]
    for kind in (np.ma.array, np.array):
        assert load_image(kind(numbers, dtype=np.uint8)).rgb[..., 1].tolist() == numbers
