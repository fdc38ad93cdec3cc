"""What the network is shown, against lcms; and what the result keeps."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from pyhades.segmentation import ModelManifest, Remover
from pyhades.segmentation.image.colour import is_srgb
from pyhades.segmentation.image.reading import load_image
from tests.support.image_files import (
    encoded,
    grey_profile,
    png,
    srgb_profile,
    tiff,
    wide_profile,
)

SRGB = ImageCms.createProfile("sRGB")


def by_lcms(image, profile):
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return np.asarray(ImageCms.profileToProfile(image, source, SRGB, outputMode="RGB"))


@pytest.fixture
def picture():
    levels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    return Image.fromarray(levels)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_wide_colours_are_kept_and_shown_in_srgb(picture, file_format):
    options = {"lossless": True} if file_format == "WEBP" else {}
    data = encoded(picture, file_format, icc_profile=wide_profile(), **options)
    loaded = load_image(data)
    opened = Image.open(io.BytesIO(data)).convert("RGB")
    np.testing.assert_array_equal(loaded.rgb, np.asarray(opened))
    assert loaded.icc_profile == wide_profile()
    np.testing.assert_array_equal(loaded.shown, by_lcms(opened, wide_profile()))
    assert np.abs(loaded.shown.astype(int) - loaded.rgb).max() > 10


def test_srgb_is_not_converted(picture):
    loaded = load_image(encoded(picture, icc_profile=srgb_profile()))
    assert loaded.icc_profile == srgb_profile()
    assert loaded.shown is None and loaded.srgb is loaded.rgb
    assert is_srgb(srgb_profile()) and is_srgb(None) and not is_srgb(wide_profile())


@pytest.mark.parametrize("side", [64, 1100], ids=["exact", "made smaller first"])
def test_the_network_sees_srgb(network, side):
    picture = np.zeros((side, side, 3), np.uint8)
    picture[..., 0], picture[..., 1] = np.linspace(0, 255, side), 90
    image = Image.fromarray(picture)
    remover = Remover.from_network(network, ModelManifest("m", (32, 32)))
    remover(encoded(image, icc_profile=wide_profile()))
    remover(by_lcms(image, wide_profile()))
    converted, reference = network.inputs
    assert np.abs(converted - reference).max() < 2 / 255 / 0.22  # two levels, by the ImageNet std


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_grey_profiles_become_srgb(picture, mode):
    grey = picture.convert("L")
    image = grey.convert(mode)
    if mode == "LA":
        image.putalpha(77)
    profile = grey_profile(1.0)
    for given in (encoded(image, icc_profile=profile), image):
        image.info["icc_profile"] = profile
        loaded = load_image(given)
        expected = by_lcms(grey if mode != "1" else image.convert("L"), profile)
        np.testing.assert_array_equal(loaded.rgb, expected)
        assert loaded.icc_profile is None
        assert (loaded.alpha is None) == (mode != "LA")


def test_grey_jpeg_with_a_profile(picture):
    data = encoded(picture.convert("L"), "JPEG", icc_profile=grey_profile(1.8), quality=95)
    expected = by_lcms(Image.open(io.BytesIO(data)), grey_profile(1.8))
    np.testing.assert_array_equal(load_image(data).rgb, expected)


_OF_SRGB = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
PARAMETRIC = struct.pack(">4sIHH5i", b"para", 0, 3, 0, *(round(v * 65536) for v in _OF_SRGB))
TABLE = struct.pack(">4sII5H", b"curv", 0, 5, 0, 3000, 15000, 35000, 65535)


@pytest.mark.parametrize("curve", [1.0, 1.8, 2.2, PARAMETRIC, TABLE], ids=str)
def test_grey_of_sixteen_bits_follows_the_same_curve(curve):
    samples = np.arange(0, 65536, 257)[None, :, None].repeat(2, axis=0)
    profile = grey_profile(curve)
    loaded = load_image(png(samples, 16, 0, profile=profile))
    expected = by_lcms(Image.fromarray((samples[..., 0] // 257).astype(np.uint8)), profile)
    # lcms converts 8 bits by a table that is coarse where the curve is steep.
    assert np.abs(loaded.rgb.astype(int) - expected)[:, 16:].max() <= 1
    assert np.abs(loaded.deep / 257 - expected)[:, 16:].max() <= 1
    assert (np.diff(loaded.deep[0, :, 0].astype(int)) > 0).all()
    assert loaded.icc_profile is None


def test_grey_of_sixteen_bits_in_the_dark():
    """Light in proportion to numbers: sRGB has a slope of 12.92 there."""
    samples = np.array([[0, 10, 100]])
    loaded = load_image(png(samples, 16, 0, profile=grey_profile(1.0)))
    assert loaded.deep[0, :, 0].tolist() == [0, 129, 1292]


def test_cmyk_with_a_profile_for_rgb_ignores_it(picture):
    image = picture.convert("CMYK")
    loaded = load_image(encoded(image, "TIFF", icc_profile=srgb_profile()))
    np.testing.assert_array_equal(loaded.rgb, np.asarray(image.convert("RGB")))
    assert loaded.icc_profile is None


@pytest.mark.parametrize(
    "stored, colour",
    [((255, 0, 0), (255, 255, 255)), ((0, 0, 0), (0, 0, 0)), ((136, 81, 70), (255, 0, 0))],
)
def test_lab_is_read(stored, colour):
    """L of 255, then a and b with a sign: red is 53, 80, 67 by a white of D50."""
    data = tiff(np.full((4, 4, 3), stored), 8, 8)
    for source in (data, Image.open(io.BytesIO(data))):
        assert np.abs(load_image(source).rgb.astype(int) - colour).max() <= 12


def test_broken_profiles_are_as_good_as_none(picture):
    for profile in (b"\0" * 200, srgb_profile()[:140], b"x"):
        loaded = load_image(encoded(picture, icc_profile=profile))
        assert loaded.icc_profile is None and loaded.shown is None


def test_palettes_with_alpha():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 255, 0, 255, 0, 40], "RGBA")
    image.putdata([0, 1])
    loaded = load_image(image)
    assert loaded.rgb.tolist() == [[[255, 0, 0], [0, 255, 0]]]
    assert loaded.alpha.tolist() == [[255, 40]]


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_premultiplied_images_become_straight(mode):
    straight = Image.new(mode, (1, 1), (200, 128) if mode == "LA" else (200, 100, 50, 128))
    loaded = load_image(straight.convert(mode.replace("A", "a")))
    expected = np.asarray(straight.convert("RGBA"))[0, 0]
    assert np.abs(loaded.rgb[0, 0].astype(int) - expected[:3]).max() <= 1
    assert loaded.alpha[0, 0] == 128
