"""Writers: pixels and what belongs to them come back, and what cannot be is said before."""

from __future__ import annotations

import functools
import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from pyhades.errors import ArgumentError, ArgumentTypeError, ImageError
from pyhades.segmentation.image.png import encode_png
from pyhades.segmentation.image.reading import load_image
from pyhades.segmentation.image.write import (
    FILE_FORMATS,
    FORMATS,
    Info,
    WriteOptions,
    check_output,
    check_size,
    format_of,
    write_image,
)
from pyhades.segmentation.image.write.tiff import write_tiff

LOSSLESS = [".png", ".apng", ".webp", ".tif", ".tiff"]
AVAILABLE = [kind for kind in FORMATS if kind.is_available]


def written(pixels, suffix, *, info=None, **options):
    parts = write_image(pixels, format_of(suffix), info or Info(), WriteOptions(**options))
    return b"".join(parts)


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@functools.cache  # a profile says when it was made
def wide_profile():
    """A space whose primaries are those of sRGB, in another order: one sees whether it counts."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red + 4 : red + 12], profile[green + 4 : green + 12] = (
        profile[green + 4 : green + 12],
        profile[red + 4 : red + 12],
    )
    return bytes(profile)


@pytest.fixture
def cutout_pixels():
    rng = np.random.default_rng(3)
    pixels = np.repeat(rng.integers(0, 256, (5, 7, 4), np.uint8), 8, axis=0).repeat(8, axis=1)
    pixels[:8, :, 3], pixels[-8:, :, 3] = 0, 255
    pixels[pixels[..., 3] == 0] = 0
    return pixels


@pytest.mark.parametrize("shape", ["grey", "rgb", "rgba"])
@pytest.mark.parametrize("suffix", LOSSLESS)
def test_pixels_come_back(suffix, shape, cutout_pixels):
    pixels = {"grey": cutout_pixels[..., 3], "rgb": cutout_pixels[..., :3], "rgba": cutout_pixels}
    image = opened(written(pixels[shape], suffix))
    mode = {"grey": "L", "rgb": "RGB", "rgba": "RGBA"}[shape]
    np.testing.assert_array_equal(np.asarray(image.convert(mode)), pixels[shape])


@pytest.mark.parametrize("kind", AVAILABLE, ids=lambda kind: kind.name)
def test_every_format_is_what_its_name_says(kind, cutout_pixels):
    pixels = cutout_pixels if kind.alpha != "none" else cutout_pixels[..., :3]
    image = opened(written(pixels, kind.suffixes[-1]))
    assert image.format.replace("DIB", "BMP") == kind.name
    seen = np.asarray(image.convert("RGBA")).astype(int)
    assert seen.shape == cutout_pixels.shape
    if kind.alpha == "levels":
        assert np.abs(seen[..., 3] - cutout_pixels[..., 3]).mean() < 3
    elif kind.alpha == "on or off":
        np.testing.assert_array_equal(seen[..., 3], (cutout_pixels[..., 3] >= 128) * 255)
    else:
        assert np.abs(seen[..., :3] - pixels[..., :3]).mean() < 20


@pytest.mark.parametrize("suffix", [".webp", ".jpg", ".avif"])
def test_quality_is_size(suffix):
    y, x = np.mgrid[0:120, 0:160]
    pixels = np.stack([(x * y) % 251, x, y], axis=-1).astype(np.uint8)
    low, high = (len(written(pixels, suffix, quality=quality)) for quality in (20, 95))
    assert low < 0.7 * high


def test_webp_loses_nothing_unless_it_is_asked_to(cutout_pixels):
    for options, is_lossless in (({}, True), ({"lossless": True}, True), ({"quality": 50}, False),
                                 ({"lossless": False}, False)):  # fmt: skip
        image = opened(written(cutout_pixels, ".webp", **options))
        assert np.array_equal(np.asarray(image), cutout_pixels) == is_lossless, options


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("compression", ["fast", "balanced"])
def test_png_of_16_bits(channels, compression):
    rng = np.random.default_rng(channels)
    pixels = rng.integers(0, 65536, (70, 9) if channels == 1 else (70, 9, channels), np.uint16)
    loaded = load_image(encode_png(pixels, compression=compression))
    colours = np.repeat(pixels[..., None], 3, axis=2) if channels == 1 else pixels[..., :3]
    np.testing.assert_array_equal(loaded.deep, colours)
    if channels == 4:
        np.testing.assert_array_equal(loaded.deep_alpha, pixels[..., 3])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5, 3), (900, 301, 4), (2, 300_000, 3)])
def test_tiff_as_another_reader_sees_it(shape, dtype):
    tifffile = pytest.importorskip("tifffile")
    pixels = np.random.default_rng(1).integers(0, np.iinfo(dtype).max + 1, shape, dtype)
    data = b"".join(write_tiff([(pixels, Info(dpi=(300, 72)))]))
    np.testing.assert_array_equal(tifffile.imread(io.BytesIO(data)), pixels)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_tiff_of_16_bits(channels):
    rng = np.random.default_rng(channels)
    shape = (300, 900) if channels == 1 else (300, 900, channels)
    pixels = rng.integers(0, 65536, shape, np.uint16)
    loaded = load_image(written(pixels, ".tif", bits=16))
    colours = np.repeat(pixels[..., None], 3, axis=2) if channels == 1 else pixels[..., :3]
    np.testing.assert_array_equal(loaded.deep, colours)
    if channels == 4:
        np.testing.assert_array_equal(loaded.deep_alpha, pixels[..., 3])


def test_pages_of_a_tiff():
    rng = np.random.default_rng(0)
    pages = [rng.integers(0, 256, (h, 11, 3), np.uint8) for h in (3, 400, 7)]
    image = opened(b"".join(write_tiff((page, Info()) for page in pages)))
    assert image.n_frames == 3
    for index, page in enumerate(pages):
        image.seek(index)
        np.testing.assert_array_equal(np.asarray(image), page)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp", ".avif"])
def test_profile_and_resolution(suffix):
    info = Info(wide_profile(), dpi=(300.0, 72.0))
    image = opened(written(np.zeros((4, 4, 3), np.uint8), suffix, info=info))
    assert image.info["icc_profile"] == info.icc_profile
    if suffix not in (".webp", ".avif"):
        assert [float(value) for value in image.info["dpi"]] == pytest.approx([300, 72], abs=0.1)


@pytest.mark.parametrize("suffix", [".bmp", ".gif"])
def test_formats_without_profiles_hold_srgb(suffix):
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 255
    plain = np.asarray(opened(written(red, suffix)).convert("RGB"))
    np.testing.assert_array_equal(plain, red)
    swapped = opened(written(red, suffix, info=Info(wide_profile()))).convert("RGB")
    assert np.asarray(swapped)[0, 0].argmax() == 1  # what that space calls red is green


@pytest.mark.parametrize(
    ("suffix", "output", "background", "options", "words"),
    [
        (".jpg", "rgba", None, {}, "JPEG has no transparency"),
        (".bmp", "rgba", None, {}, "BMP has no transparency"),
        (".tga", "rgba", None, {}, r"suffix='\.tga'.*choose one of \.png"),
        ("png", "rgba", None, {}, "suffix='png'"),
        (".png", "mask", "white", {}, "no colours"),
        (".png", "rgba", None, {"quality": 80}, "PNG loses nothing"),
        (".tif", "rgba", None, {"quality": 80}, "TIFF loses nothing"),
        (".gif", "rgba", None, {"quality": 80}, "quality is for WEBP"),
        (".webp", "rgba", None, {"quality": 80, "lossless": True}, "lossless=True"),
        (".jpg", "mask", None, {"lossless": True}, "JPEG always loses"),
        (".png", "rgba", None, {"lossless": False}, "PNG loses nothing"),
        (".webp", "rgba", None, {"bits": 16}, "write PNG or TIFF"),
        (".jpg", "rgba", "white", {"bits": 16}, "bits=16"),
        (".webp", "rgba", None, {"png": "small"}, "png='small' is for PNG"),
    ],
)
def test_wrong_combinations(suffix, output, background, options, words):
    with pytest.raises(ArgumentError, match=words):
        check_output(suffix, output, background, WriteOptions(**options))


@pytest.mark.parametrize(
    ("suffix", "output", "background", "options"),
    [
        (".JPG", "mask", None, {}),
        (".jpeg", "rgba", "white", {"quality": 1}),
        (".png", "rgba", None, {"lossless": True, "bits": 16}),
        (".tif", "mask", None, {"bits": 16}),
        (".webp", "rgba", None, {"lossless": False, "quality": 100}),
        (".gif", "rgba", None, {"strip": True}),
    ],
)
def test_right_combinations(suffix, output, background, options):
    assert (
        suffix.lower() in check_output(suffix, output, background, WriteOptions(**options)).suffixes
    )


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"quality": 0}, ArgumentError, "quality=0"),
        ({"quality": 101}, ArgumentError, "quality=101"),
        ({"quality": "high"}, ArgumentTypeError, "quality='high'"),
        ({"bits": 12}, ArgumentError, "bits=12 is none of 8, 16"),
        ({"strip": "yes"}, ArgumentTypeError, "strip"),
        ({"lossless": 1}, ArgumentTypeError, "lossless"),
        ({"png": "tiny"}, ArgumentError, "png='tiny'"),
    ],
)
def test_wrong_options(options, error, words):
    with pytest.raises(error, match=words):
        WriteOptions(**options)


@pytest.mark.parametrize(
    ("suffix", "most"),
    [(".webp", 16_383), (".jpg", 65_500), (".gif", 65_535), (".avif", 32_768)],
)
def test_largest_sides(suffix, most):
    check_size((1, most), format_of(suffix))
    with pytest.raises(ImageError, match=rf"a\.png: 2 x {most + 1} pixels.*{most} along a side"):
        check_size((most + 1, 2), format_of(suffix), "a.png")


@pytest.mark.parametrize("suffix", [".webp", ".jpg", ".gif"])
def test_the_largest_side_is_one_that_can_be_written(suffix):
    kind = format_of(suffix)
    pixels = np.zeros((1, kind.max_side, 3), np.uint8)
    assert opened(written(pixels, suffix)).width == kind.max_side


def test_area_of_avif():
    with pytest.raises(ImageError, match="holds 268,435,456; write PNG"):
        check_size((20_000, 20_000), format_of(".avif"))


def test_suffixes_are_told_apart():
    assert len(FILE_FORMATS) == sum(len(kind.suffixes) for kind in FORMATS)


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr("pyhades.segmentation.image.write.formats._heif_is_written", lambda: False)
    with pytest.raises(ArgumentError, match="pillow-heif"):
        format_of(".heic")
