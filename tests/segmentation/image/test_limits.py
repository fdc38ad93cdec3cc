"""One limit, ours: for Pillow, too, and for nobody else's reading."""

from __future__ import annotations

import io
import threading
import warnings
import zlib
from struct import pack

import pytest
from PIL import Image

from pyhades.errors import ImageError
from pyhades.segmentation.image.limits import check_pixels, limited
from pyhades.segmentation.image.reading import load_image
from tests.support.image_files import encoded, png_chunk

PICTURE = Image.new("RGB", (32, 32), "red")
FORMATS = ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "ICO"]


@pytest.mark.parametrize("file_format", FORMATS)
def test_more_than_pillow_allows(monkeypatch, file_format):
    data = encoded(PICTURE, file_format)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_image(data).size == (32, 32)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(data))


@pytest.mark.parametrize("file_format", FORMATS)
def test_less_than_pillow_allows(file_format):
    with pytest.raises(ImageError, match="more than max_pixels=10"):
        load_image(encoded(PICTURE, file_format), max_pixels=10)


def test_two_hundred_megapixels_are_within_our_limit():
    width, height = 20000, 10000
    deflate = zlib.compressobj(1)
    row = bytes(1 + width // 8)
    rows = b"".join(deflate.compress(row) for _ in range(height)) + deflate.flush()
    header = pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)
    data += png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(data))
    with pytest.raises(ImageError, match="more than max_pixels=199,999,999"):
        load_image(data, max_pixels=199_999_999)
    with pytest.raises(ImageError, match="truncated"):  # measured, and begun
        load_image(data[:3000])


def test_other_threads_keep_pillows_limit(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    caught = []

    def elsewhere():
        try:
            Image.open(io.BytesIO(encoded(PICTURE)))
        except Image.DecompressionBombError as error:
            caught.append(error)

    with limited(2000, "ours"):
        Image._decompression_bomb_check((32, 32))
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert caught


def test_limits_nest_and_end():
    with limited(100, "outer"):
        with limited(10, "inner"), pytest.raises(ImageError, match="inner"):
            Image._decompression_bomb_check((20, 1))
        Image._decompression_bomb_check((20, 1))
    Image._decompression_bomb_check((1000, 1))
    with pytest.raises(ImageError, match="0 x 5 pixels"):
        check_pixels(0, 5, 10, "empty")
