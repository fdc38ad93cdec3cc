from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from pyhades.errors import ArgumentError, ArgumentTypeError, ImageError
from pyhades.segmentation.image.reading import load_image


def encoded(image, file_format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


@pytest.fixture
def picture():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8))


def test_every_kind_of_source_gives_the_same_pixels(picture, tmp_path):
    path = tmp_path / "picture.png"
    picture.save(path)
    pixels = np.asarray(picture)
    bgr = pixels[..., ::-1]
    with path.open("rb") as file:
        sources = [path, str(path), path.read_bytes(), bytearray(path.read_bytes()), file, picture]
        for source in [*sources, pixels]:
            np.testing.assert_array_equal(load_image(source).rgb, pixels)
    np.testing.assert_array_equal(load_image(bgr, channel_order="bgr").rgb, pixels)


def test_jpeg_equals_pillow(picture):
    data = encoded(picture.resize((64, 48)), "JPEG", quality=90)
    expected = np.asarray(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(load_image(data).rgb, expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_exif_orientation_is_applied(picture, orientation, file_format):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(picture, file_format, exif=exif, dpi=(300, 150))
    image = Image.open(io.BytesIO(data))
    loaded = load_image(data)
    np.testing.assert_array_equal(loaded.rgb, np.asarray(ImageOps.exif_transpose(image)))
    expected = (150, 300) if orientation >= 5 else (300, 150)
    assert loaded.dpi == pytest.approx(expected, abs=0.02)


def test_broken_exif_is_ignored(picture):
    data = encoded(picture, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert load_image(data).size == (20, 30)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV"])
def test_opaque_modes_convert_as_pillow_does(picture, mode):
    image = picture.convert(mode)
    loaded = load_image(image)
    np.testing.assert_array_equal(loaded.rgb, np.asarray(image.convert("RGB")))
    assert loaded.alpha is None


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA"])
def test_alpha_is_kept_apart(picture, mode):
    alpha = np.arange(600, dtype=np.uint16).reshape(20, 30).astype(np.uint8)
    image = picture.convert("L" if mode == "LA" else "RGB")
    image.putalpha(Image.fromarray(alpha))
    loaded = load_image(image.convert(mode))
    np.testing.assert_array_equal(loaded.alpha, alpha)


def test_palette_transparency_is_alpha():
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "L").convert("P")
    loaded = load_image(encoded(image, transparency=0))
    assert loaded.alpha.tolist() == [[0, 255]]


@pytest.mark.parametrize("dtype", [np.uint16, ">u2"])
def test_sixteen_bits_are_scaled_not_clipped(dtype):
    samples = np.array([[0, 256, 32768, 65535]], dtype)
    expected = [0, 1, 128, 255]
    assert load_image(np.asarray(samples, np.uint16)).rgb[0, :, 0].tolist() == expected
    image = Image.fromarray(np.asarray(samples, np.uint16))
    assert load_image(image).rgb[0, :, 1].tolist() == expected
    assert load_image(encoded(image)).rgb[0, :, 2].tolist() == expected
    assert load_image(encoded(image, "TIFF")).rgb[0, :, 2].tolist() == expected


def test_colour_profile_is_kept_only_where_it_fits():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Image.new("RGB", (4, 4), "red")
    for file_format in ("PNG", "JPEG"):
        data = encoded(picture, file_format, icc_profile=profile)
        assert load_image(data).icc_profile == profile
    grey = profile[:16] + b"GRAY" + profile[20:]
    assert load_image(encoded(picture.convert("L"), icc_profile=grey)).icc_profile is None


@pytest.mark.parametrize("cut", [5, 30, 200, -40])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_truncated_files_are_named(picture, tmp_path, cut, file_format):
    path = tmp_path / "half.img"
    data = encoded(picture, file_format)
    path.write_bytes(data[:cut])
    with pytest.raises(ImageError, match=r"half\.img"):
        load_image(path)


def test_missing_empty_and_foreign_files_are_named(tmp_path):
    empty, text = tmp_path / "empty.jpg", tmp_path / "text.jpg"
    empty.write_bytes(b"")
    text.write_text("not an image")
    with pytest.raises(ImageError, match=r"empty\.jpg: the file is empty"):
        load_image(empty)
    with pytest.raises(ImageError, match=r"text\.jpg: not an image in a supported format"):
        load_image(text)
    with pytest.raises(ImageError, match=r"gone\.jpg: No such file"):
        load_image(tmp_path / "gone.jpg")
    with pytest.raises(ImageError, match="Is a directory"):
        load_image(tmp_path)


def test_dangerous_formats_are_not_opened():
    data = encoded(Image.new("RGB", (4, 4)), "EPS")
    with pytest.raises(ImageError, match="not an image in a supported format"):
        load_image(data)


def test_pixels_are_counted_before_decoding(picture):
    data = encoded(picture)[:60]  # the header says it all
    with pytest.raises(ImageError, match=r"30 x 20 = 600 pixels, more than max_pixels=599"):
        load_image(data, max_pixels=599)


def test_files_larger_than_pillow_allows_are_left_to_our_limit(monkeypatch, picture):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    assert load_image(encoded(picture)).size == (20, 30)


@pytest.mark.parametrize(
    "array, complaint",
    [
        (np.zeros((4, 4, 3), np.float32), "dtype float32"),
        (np.zeros((4, 4, 3), np.int64), "dtype int64"),
        (np.zeros((4, 4, 2), np.uint8), r"shape \(4, 4, 2\)"),
        (np.zeros((2, 4, 4, 3), np.uint8), "shape"),
        (np.zeros((0, 4, 3), np.uint8), "4 x 0 pixels"),
    ],
)
def test_arrays_without_a_meaning_are_refused(array, complaint):
    with pytest.raises(ImageError, match=complaint):
        load_image(array)


def test_float_images_are_refused():
    with pytest.raises(ImageError, match="mode 'F'"):
        load_image(Image.fromarray(np.zeros((4, 4), np.float32)))


def test_bad_arguments():
    with pytest.raises(ArgumentTypeError, match="got int"):
        load_image(3)
    with pytest.raises(ArgumentError, match="channel_order"):
        load_image(np.zeros((1, 1, 3), np.uint8), channel_order="rbg")
