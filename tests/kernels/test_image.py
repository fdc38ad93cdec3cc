"""The image kernels against NumPy, Pillow and guard pages."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from pyhades import kernels
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels import reference
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty

WIDTHS = [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 21, 31, 33, 63, 65, 100, 257]
RESAMPLES = ["nearest", "bilinear", "bicubic", "lanczos"]


def photo(height, width):
    return np.random.default_rng((height, width)).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.covers("normalize_row_u8")
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("resample", RESAMPLES)
@pytest.mark.parametrize("antialias", [True, False])
def test_normalize_image(isa, width, resample, antialias):
    image = guarded(photo(11, width))
    for size in ((11, width), (5, 3), (30, 2 * width + 1)):
        out = guarded_empty((1, 3, *size))
        options = {"resample": resample, "antialias": antialias}
        kernels.normalize_image(
            image, size, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), out=out, isa=isa, **options
        )
        expected = reference.normalize_image(
            image, size, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), **options
        )
        # 255 / std at most, times the roundings of two weighted sums.
        np.testing.assert_allclose(out, expected, rtol=0, atol=5 * 40 * 2.0**-24)
        assert_gaps_untouched(out)


@pytest.mark.parametrize("resample", ["bilinear", "bicubic", "lanczos"])
def test_the_filters_are_pillows(resample):
    image = photo(90, 130)
    for height, width in ((37, 41), (200, 260), (90, 10)):
        ours = kernels.normalize_image(image, (height, width), scale=1.0, resample=resample)
        for c in range(3):
            plane = Image.fromarray(image[..., c].astype(np.float32))
            theirs = plane.resize((width, height), Image.Resampling[resample.upper()])
            np.testing.assert_allclose(ours[0, c], np.clip(theirs, 0, 255), atol=2e-3)


def test_normalize_image_layouts():
    image = photo(20, 30)
    planar = kernels.normalize_image(image, (8, 9))
    interleaved = kernels.normalize_image(image, (8, 9), layout="NHWC")
    np.testing.assert_array_equal(planar.transpose(0, 2, 3, 1), interleaved)
    assert reference.normalize_image(image, (8, 9), layout="NHWC").shape == (1, 8, 9, 3)


@pytest.mark.covers("upscale_mask_rows_f32")
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("size", [(1, 1), (9, 40), (70, 97), (3, 333)])
def test_upscale_mask_is_equal_on_every_tier(isa, width, size):
    rng = np.random.default_rng(width)
    mask = guarded((rng.random((7, width), np.float32) * 1.4 - 0.2).astype(np.float32))
    out = guarded_empty(size, np.uint8)
    kernels.upscale_mask(mask, size, out=out, isa=isa)
    np.testing.assert_array_equal(out, reference.upscale_mask(mask, size))
    assert_gaps_untouched(out)


def test_upscale_mask_is_pillows_bilinear():
    mask = np.random.default_rng(0).random((32, 48), np.float32)
    ours = kernels.upscale_mask(mask, (100, 150)).astype(float)
    theirs = np.asarray(Image.fromarray(mask).resize((150, 100), Image.Resampling.BILINEAR)) * 255
    assert np.abs(ours - theirs).max() <= 0.501


@pytest.mark.covers("composite_row_u8")
@pytest.mark.parametrize("width", WIDTHS)
def test_composite_is_exact(isa, width):
    rng = np.random.default_rng(width)
    image, behind = guarded(photo(5, width)), guarded(photo(5, width)[::-1].copy())
    alpha = guarded(rng.choice(np.array([0, 1, 127, 128, 254, 255], np.uint8), (5, width)))
    for background in (behind, (0, 128, 255)):
        out = guarded_empty(image.shape, np.uint8)
        kernels.composite(image, alpha, background, out=out, isa=isa)
        np.testing.assert_array_equal(out, reference.composite(image, alpha, background))
        assert_gaps_untouched(out)


@pytest.mark.parametrize("alpha", range(0, 256, 5))
def test_composite_rounds_every_mixture_to_the_nearest(alpha):
    colours = np.arange(256, dtype=np.uint8)
    image = np.repeat(np.tile(colours, (256, 1))[..., None], 3, axis=2)
    behind = np.ascontiguousarray(image.transpose(1, 0, 2))
    weight = alpha / 255
    exact = image * weight + behind * (1 - weight)
    result = kernels.composite(image, np.full((256, 256), alpha, np.uint8), behind)
    assert np.abs(result - exact).max() <= 0.5 + 1e-9


@pytest.mark.covers("png_filter_row_u8")
@pytest.mark.parametrize("name", ["none", "sub", "up", "average", "paeth"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png_filters(isa, name, channels):
    for width in WIDTHS:
        rows = guarded(photo(4, width * channels)[..., 0].copy())
        out = guarded_empty((4, rows.shape[1] + 1), np.uint8)
        kernels.png_filter(rows, channels, name, out=out, isa=isa)
        np.testing.assert_array_equal(out, reference.png_filter(rows, channels, name))
        assert_gaps_untouched(out)


@pytest.mark.parametrize("name", ["none", "sub", "up", "average", "paeth"])
def test_pillow_undoes_the_filters(name):
    picture = photo(30, 40)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=0)
    data = buffer.getvalue()
    filtered = zlib.compress(kernels.png_filter(picture.reshape(30, -1), 3, name).tobytes())
    body = b"IDAT" + filtered
    chunk = len(filtered).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    start = data.index(b"IDAT") - 4
    decoded = Image.open(io.BytesIO(data[:start] + chunk + data[-12:]))
    np.testing.assert_array_equal(np.asarray(decoded), picture)


def test_any_number_of_threads_gives_the_same():
    image, mask = photo(123, 217), np.random.default_rng(0).random((31, 33), np.float32)
    alpha = kernels.upscale_mask(mask, (123, 217), threads=1)
    for threads in (2, 3):
        for function, arguments in (
            (kernels.normalize_image, (image, (40, 50))),
            (kernels.upscale_mask, (mask, (123, 217))),
            (kernels.composite, (image, alpha, (1, 2, 3))),
            (kernels.png_filter, (image.reshape(123, -1), 3)),
        ):
            one = function(*arguments, threads=1)
            np.testing.assert_array_equal(function(*arguments, threads=threads), one)


def test_bad_arguments_are_named():
    image = photo(4, 5)
    with pytest.raises(ArgumentError, match="size"):
        kernels.normalize_image(image, (0, 3))
    with pytest.raises(ArgumentError, match="std must be positive"):
        kernels.normalize_image(image, (2, 2), std=(1, 0, 1))
    with pytest.raises(ArgumentError, match="resample='magic'"):
        kernels.normalize_image(image, (2, 2), resample="magic")
    with pytest.raises(ArgumentError, match="layout"):
        kernels.normalize_image(image, (2, 2), layout="HWC")
    with pytest.raises(ArgumentError, match="image has shape"):
        kernels.normalize_image(image[..., :2], (2, 2))
    with pytest.raises(ArgumentTypeError, match="mask has dtype float64"):
        kernels.upscale_mask(np.zeros((2, 2)), (4, 4))
    with pytest.raises(ArgumentError, match="three integers"):
        kernels.composite(image, image[..., 0], (1, 2, 256))
    with pytest.raises(ArgumentError, match="filter='best'"):
        kernels.png_filter(image.reshape(4, -1), 3, "best")
    with pytest.raises(ArgumentError, match="no multiple of 2"):
        kernels.png_filter(image.reshape(4, -1), 2)
    with pytest.raises(ArgumentError, match="empty"):
        kernels.normalize_image(image[:0], (2, 2))
