"""Cut-outs of 16 bits, and backgrounds in the space of the picture."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from pyhades.errors import ArgumentError
from pyhades.segmentation import Cutout
from pyhades.segmentation.compose import Background
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.image.png import encode_png
from pyhades.segmentation.image.reading import load_image
from tests.segmentation.image.test_write import wide_profile

RAMP = np.linspace(0, 1, 16, dtype=np.float32)[None].repeat(8, axis=0)


@pytest.fixture
def deep_photo():
    """A gradient of 16 bits with more levels than 8 bits have, as a PNG."""
    y, x = np.mgrid[0:64, 0:128]
    pixels = np.stack([x * 511, y * 1000 + x, 40_000 + x + y], axis=-1).astype(np.uint16)
    return encode_png(pixels), pixels


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_opaque_pixels_are_those_of_the_picture(suffix, deep_photo, remover_with):
    data, pixels = deep_photo
    remover = remover_with(np.ones((8, 8)))
    loaded = load_image(remover.cut(data).encode(suffix=suffix, bits=16))
    np.testing.assert_array_equal(loaded.deep, pixels)
    assert (loaded.alpha is None) or (loaded.alpha == 255).all()


def test_mattes_have_more_than_256_levels(deep_photo, remover_with):
    cutout = remover_with(RAMP).cut(deep_photo[0])
    deep = cutout.deep_pixels("mask")
    assert deep.dtype == np.uint16 and len(np.unique(deep)) > 100
    assert (deep % 257 != 0).mean() > 0.5  # levels that 8 bits do not have
    assert np.abs(deep / 257 - cutout.alpha).max() <= 0.51


def test_foreground_colours_are_those_of_8_bits_made_finer(deep_photo, remover_with):
    cutout = remover_with(RAMP).cut(deep_photo[0])
    deep, plain = cutout.deep_pixels(), cutout.pixels()
    seen = deep[..., 3] >= 257
    assert np.abs(deep[..., :3] / 257 - plain[..., :3])[seen].max() <= 1.01
    assert not deep[deep[..., 3] == 0].any()


def test_hidden_colours_are_kept_on_request():
    image = LoadedImage(np.full((2, 2, 3), 7, np.uint8), deep=np.full((2, 2, 3), 1800, np.uint16))
    nothing = np.zeros((2, 2), np.uint8)
    assert not Cutout(image, nothing).deep_pixels().any()
    assert (Cutout(image, nothing, keep_hidden=True).deep_pixels()[..., :3] == 1800).all()


def test_a_matte_that_was_changed_counts(deep_photo, remover_with):
    cutout = remover_with(RAMP).cut(deep_photo[0])
    hard = dataclasses.replace(cutout, alpha=(cutout.alpha > 127).astype(np.uint8) * 255)
    assert set(np.unique(hard.deep_pixels("mask"))) == {0, 65535}


def test_transparency_of_the_picture_is_multiplied(remover_with):
    rgba = np.full((4, 4, 4), 65535, np.uint16)
    rgba[..., 3] = 20_000
    cutout = remover_with(np.ones((4, 4))).cut(encode_png(rgba))
    assert (np.abs(cutout.deep_pixels("mask").astype(int) - 20_000) <= 1).all()


def test_pictures_of_8_bits_are_widened(photo, remover_with):
    cutout = remover_with(np.ones((8, 8))).cut(photo)
    np.testing.assert_array_equal(cutout.deep_pixels()[..., :3], photo.astype(np.uint16) * 257)


@pytest.mark.parametrize("behind", ["white", "picture", "blur"])
def test_on_a_background(behind, deep_photo, remover_with):
    background = Background(np.full((4, 4, 3), 90, np.uint8) if behind == "picture" else behind)
    cutout = remover_with(RAMP).cut(deep_photo[0])
    deep = cutout.deep_pixels(background=background)
    plain = cutout.pixels(background=background)
    assert deep.shape == plain.shape and deep.dtype == np.uint16
    assert np.abs(deep / 257 - plain).max() < 2


def test_formats_without_16_bits_refuse(deep_photo, remover):
    with pytest.raises(ArgumentError, match="bits=16"):
        remover.cut(deep_photo[0]).encode(suffix=".webp", bits=16)


def with_profile(pixels):
    return LoadedImage(pixels, icc_profile=wide_profile())


def test_colours_are_shown_in_the_space_of_the_picture():
    picture = with_profile(np.zeros((4, 4, 3), np.uint8))
    red = Cutout(picture, np.zeros((4, 4), np.uint8)).over(Background("red"))[0, 0]
    assert red.argmax() == 1  # the space has the primaries of sRGB in another order


def test_and_pictures_behind_it(tmp_path):
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    nothing = np.zeros((4, 4), np.uint8)
    on_plain = Cutout(LoadedImage(red), nothing)
    on_other = Cutout(with_profile(red), nothing)
    Image.fromarray(red).save(tmp_path / "own.png", icc_profile=wide_profile())
    plain, own = Background(red), Background(tmp_path / "own.png")
    assert on_plain.over(plain)[0, 0].argmax() == 0
    assert on_other.over(plain)[0, 0].argmax() == 1
    assert on_plain.over(own)[0, 0].argmax() == 1
    np.testing.assert_array_equal(on_other.over(own)[0, 0], [255, 0, 0])


def test_the_result_is_seen_as_the_background_was(remover_with):
    cutout = remover_with(np.zeros((4, 4)) + 0.0, range="none").cut(
        with_profile(np.zeros((8, 8, 3), np.uint8))
    )
    data = cutout.encode(background=Background((200, 30, 60)), suffix=".png")
    seen = load_image(data).srgb[0, 0].astype(int)
    assert np.abs(seen - [200, 30, 60]).max() <= 3


def test_broken_profiles_change_no_colour():
    picture = LoadedImage(np.zeros((2, 2, 3), np.uint8), icc_profile=b"no profile")
    over = Cutout(picture, np.zeros((2, 2), np.uint8)).over(Background("red"))
    assert over[0, 0].tolist() == [255, 0, 0]
    assert Image.open(io.BytesIO(Cutout(picture, picture.rgb[..., 0]).encode())).size == (2, 2)
