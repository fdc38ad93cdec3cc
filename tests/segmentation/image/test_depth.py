"""Files of every depth, against the samples that they were made of."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pyhades.errors import ImageError
from pyhades.segmentation.image.reading import load_image
from tests.support.image_files import png, tiff

CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}


def drawn(channels, bits, seed=0):
    shape = (20, 30, channels)
    return np.random.default_rng(seed).integers(0, 1 << bits, shape)


def colours_of(samples):
    """[h, w, 3], whether there are one, two, three or four channels."""
    return samples[..., :3] if samples.shape[2] > 2 else np.repeat(samples[..., :1], 3, axis=2)


def assert_holds(loaded, samples, bits, alpha=None):
    top = (1 << bits) - 1
    np.testing.assert_array_equal(loaded.rgb, np.rint(colours_of(samples) * (255 / top)))
    if bits == 16:
        np.testing.assert_array_equal(loaded.deep, colours_of(samples))
    else:
        assert loaded.deep is None
    if alpha is None:
        assert loaded.alpha is None and loaded.deep_alpha is None
    else:
        np.testing.assert_array_equal(loaded.alpha, np.rint(alpha * (255 / top)))
        if bits == 16:
            np.testing.assert_array_equal(loaded.deep_alpha, alpha)


@pytest.mark.parametrize(
    "colour_type, bits",
    [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), *((t, b) for t in (2, 4, 6) for b in (8, 16))],
)
def test_png_of_every_kind(colour_type, bits):
    samples = drawn(CHANNELS[colour_type], bits)
    alpha = samples[..., -1] if colour_type in (4, 6) else None
    assert_holds(load_image(png(samples, bits, colour_type)), samples, bits, alpha)


@pytest.mark.parametrize(
    "colour_type, bits", [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16)]
)
def test_png_with_a_transparent_colour(colour_type, bits):
    samples = drawn(CHANNELS[colour_type], bits)
    key = samples[3, 4]
    samples[5] = key
    if bits == 16:  # its upper byte alone is not the colour
        samples[6] = key ^ 1
    seen = (samples != key).any(axis=-1)
    loaded = load_image(png(samples, bits, colour_type, key=key.tolist()))
    np.testing.assert_array_equal(loaded.alpha, seen * 255)
    assert_holds(loaded, samples, bits, seen * ((1 << bits) - 1))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    "packing", [{}, {"compressed": True}, {"compressed": True, "predictor": 2}]
)
@pytest.mark.parametrize(
    "channels, extra, photometric", [(1, None, 1), (3, None, 2), (4, 0, 2), (4, 2, 2), (4, None, 2)]
)
def test_tiff_of_sixteen_bits(order, packing, channels, extra, photometric):
    samples = drawn(channels, 16)
    alpha = samples[..., 3] if channels == 4 and extra != 0 else None
    data = tiff(samples, 16, photometric, order=order, extra=extra, **packing)
    assert_holds(load_image(data), samples, 16, alpha)


@pytest.mark.parametrize("order", "<>")
def test_premultiplied_tiff_becomes_straight(order):
    samples = drawn(4, 16)
    straight, alpha = samples[..., :3].copy(), np.maximum(samples[..., 3:], 20000)
    samples[..., :3], samples[..., 3:] = np.rint(straight * alpha / 65535), alpha
    loaded = load_image(tiff(samples, 16, 2, order=order, extra=1))
    assert np.abs(loaded.deep.astype(int) - straight).max() <= 2  # half a step, over 0.3
    np.testing.assert_array_equal(loaded.deep_alpha, alpha[..., 0])


def test_tiff_in_which_white_is_zero():
    samples = drawn(1, 16)
    loaded = load_image(tiff(samples, 16, 0))
    np.testing.assert_array_equal(loaded.deep[..., 0], 65535 - samples[..., 0])


@pytest.mark.parametrize("channels, extra", [(3, None), (4, 2)])
@pytest.mark.parametrize("compressed", [False, True])
def test_tiff_in_planes(channels, extra, compressed):
    """Right, or refused: Pillow gives wrong colours for some in silence."""
    samples = drawn(channels, 8)
    data = tiff(samples, 8, 2, extra=extra, planes=2, compressed=compressed)
    alpha = samples[..., 3] if channels == 4 else None
    assert_holds(load_image(data), samples, 8, alpha)
    deep = tiff(drawn(channels, 16), 16, 2, extra=extra, planes=2, compressed=compressed)
    with pytest.raises(ImageError, match="planes of 16 bits"):
        load_image(deep)


def test_planes_of_grey_with_alpha_are_refused():
    with pytest.raises(ImageError, match=r"2 planes|not supported"):
        load_image(tiff(drawn(2, 8), 8, 1, extra=2, planes=2, compressed=True))


def test_a_transparent_colour_of_sixteen_bits_in_an_image_of_pillow():
    samples = drawn(3, 16)
    key = samples[3, 4]
    image = Image.open(io.BytesIO(png(samples, 16, 2, key=key.tolist())))
    expected = (samples >> 8 != key >> 8).any(axis=-1) * 255
    np.testing.assert_array_equal(load_image(image).alpha, expected)
