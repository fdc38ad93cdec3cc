from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from pyhades.errors import ArgumentError
from pyhades.segmentation.image.png import encode_png

SIZES = [(1, 1), (1, 9), (7, 1), (3, 5), (64, 64), (65, 33), (130, 201)]


def decode(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("compression", ["fast", "balanced", "small"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", SIZES)
def test_pillow_decodes_the_same_pixels(compression, channels, size):
    rng = np.random.default_rng(size)
    shape = size if channels == 1 else (*size, channels)
    noise = rng.integers(0, 256, shape, np.uint8)
    smooth = np.broadcast_to(np.arange(size[1], dtype=np.uint8)[None, :, None], (*size, channels))
    for pixels in (noise, smooth.reshape(shape)):
        image = decode(encode_png(pixels, compression=compression))
        assert image.mode == {1: "L", 3: "RGB", 4: "RGBA"}[channels]
        np.testing.assert_array_equal(np.asarray(image), pixels)


def test_profile_and_resolution_survive():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encode_png(np.zeros((2, 2, 3), np.uint8), icc_profile=profile, dpi=(300, 72))
    image = decode(data)
    assert image.info["icc_profile"] == profile
    assert image.info["dpi"] == pytest.approx((300, 72), abs=0.02)


def test_adaptive_filters_make_photographs_smaller():
    y, x = np.mgrid[0:256, 0:256]
    waves = 127 + 60 * np.sin(x / 17 + y / 23) + 60 * np.cos(x * y / 3000)
    pixels = np.repeat(waves.astype(np.uint8)[..., None], 3, axis=2)
    sizes = [len(encode_png(pixels, compression=c)) for c in ("small", "balanced", "fast")]
    assert sizes == sorted(sizes) and sizes[1] < 0.95 * sizes[2]


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((2, 2), np.float32),
        np.zeros((2, 2, 2), np.uint8),
        np.zeros((0, 2), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_refuses_what_png_has_no_word_for(pixels):
    with pytest.raises(ArgumentError, match="expected uint8"):
        encode_png(pixels)


def test_refuses_an_unknown_preset():
    with pytest.raises(ArgumentError, match="'fast', 'balanced', 'small'"):
        encode_png(np.zeros((1, 1), np.uint8), compression="tiny")
