"""EXIF and XMP: what is told of a picture once it is upright, in every format."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from pyhades.errors import ImageError
from pyhades.segmentation.compose import Background
from pyhades.segmentation.image.metadata import PREFIX, upright_exif, upright_xmp
from pyhades.segmentation.image.reading import load_image
from pyhades.segmentation.image.write import Info, WriteOptions, format_of, write_image

MAKE, ORIENTATION, RESOLUTIONS = 0x010F, 0x0112, (0x011A, 0x011B)
EXIF, GPS, FOCAL_LENGTH, WIDTH, HEIGHT, NOTE = 0x8769, 0x8825, 0x920A, 0xA002, 0xA003, 0x927C
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tiff:Orientation="6"/>'
WRITTEN = [".png", ".webp", ".jpg", ".tif", ".avif"]


def camera_exif(orientation=6):
    exif = Image.Exif()
    exif[MAKE], exif[ORIENTATION] = "Acme", orientation
    exif[RESOLUTIONS[0]], exif[RESOLUTIONS[1]] = 300.0, 72.0
    inner = exif.get_ifd(EXIF)
    inner[FOCAL_LENGTH], inner[WIDTH], inner[HEIGHT] = 35.0, 60, 40
    exif.get_ifd(GPS)[1] = "N"
    return exif.tobytes()


def with_thumbnail(block):
    """The block with a second directory, that of a picture which ends it."""
    data = bytearray(block.removeprefix(PREFIX))
    (count,) = struct.unpack_from(">H", data, 8)
    second, picture = len(data), b"a picture"
    struct.pack_into(">I", data, 10 + 12 * count, second)
    data += struct.pack(">H", 2)
    data += struct.pack(">HHII", 0x0201, 4, 1, second + 30)
    data += struct.pack(">HHII", 0x0202, 4, 1, len(picture)) + bytes(4)
    return bytes(data) + picture


def loaded_exif(block):
    exif = Image.Exif()
    exif.load(block)
    return exif


def photo_file(suffix="JPEG", **extra):
    data = io.BytesIO()
    Image.fromarray(np.full((40, 60, 3), 200, np.uint8)).save(data, suffix, **extra)
    return data.getvalue()


def test_a_block_is_made_to_fit_the_upright_picture():
    exif = loaded_exif(upright_exif(camera_exif(), (60, 40)))
    assert exif[MAKE] == "Acme" and exif[ORIENTATION] == 1
    assert [exif[tag] for tag in RESOLUTIONS] == [72, 300]
    inner = exif.get_ifd(EXIF)
    assert (inner[WIDTH], inner[HEIGHT], inner[FOCAL_LENGTH]) == (40, 60, 35)
    assert exif.get_ifd(GPS)[1] == "N"


def test_axes_stay_where_the_picture_was_upright():
    exif = loaded_exif(upright_exif(camera_exif(orientation=3), (40, 60)))
    assert exif[ORIENTATION] == 1 and exif[RESOLUTIONS[0]] == 300


def test_nothing_else_moves():
    before = camera_exif().removeprefix(PREFIX)
    after = upright_exif(before, None)
    assert len(after) == len(before)
    assert sum(a != b for a, b in zip(before, after, strict=True)) <= 1 + 2 * 4


def test_the_thumbnail_is_gone():
    block = with_thumbnail(camera_exif())
    assert b"a picture" in block
    after = upright_exif(block, (60, 40))
    assert b"a picture" not in after and not loaded_exif(after).get_ifd(0x1000)
    assert loaded_exif(after)[MAKE] == "Acme"
    middle = upright_exif(block + b"and more", (60, 40))
    assert b"a picture" not in middle and middle.endswith(b"and more")


@pytest.mark.parametrize("length", range(0, 120, 7))
def test_half_blocks_are_none_or_whole(length):
    block = with_thumbnail(camera_exif()).removeprefix(PREFIX)[:length]
    after = upright_exif(block, (60, 40))
    assert after is None or len(after) <= len(block)


@pytest.mark.parametrize("seed", range(50))
def test_broken_blocks_do_no_harm(seed):
    rng = np.random.default_rng(seed)
    block = np.frombuffer(with_thumbnail(camera_exif()).removeprefix(PREFIX), np.uint8).copy()
    block[rng.integers(0, len(block), 8)] = rng.integers(0, 256, 8)
    after = upright_exif(block.tobytes(), (60, 40))
    assert after is None or len(after) <= len(block)


@pytest.mark.parametrize("packet", [b'tiff:Orientation="8"', b"tiff:Orientation = '3'"])
def test_xmp_says_upright(packet):
    assert b"1" in upright_xmp(packet) and not set(upright_xmp(packet)) & set(b"38")
    element = b"<tiff:Orientation>6</tiff:Orientation>"
    assert upright_xmp(element) == b"<tiff:Orientation>1</tiff:Orientation>"


def test_xmp_shows_no_background():
    inner = b"<rdf:Alt><rdf:li>/9j/4AAQ</rdf:li></rdf:Alt>"
    packet = b"<a><xmp:Thumbnails>" + inner + b"</xmp:Thumbnails><b>kept</b></a>"
    assert upright_xmp(packet) == b"<a><b>kept</b></a>"


@pytest.mark.parametrize("suffix", WRITTEN)
def test_metadata_is_in_the_result(suffix, remover):
    given = photo_file(exif=camera_exif(), xmp=XMP)
    cutout = remover.cut(given)
    behind = Background("white") if suffix == ".jpg" else None
    result = Image.open(io.BytesIO(cutout.encode(background=behind, suffix=suffix)))
    assert result.size == (40, 60)
    exif = result.getexif()
    assert exif[MAKE] == "Acme" and exif.get(ORIENTATION, 1) == 1
    assert exif.get_ifd(EXIF)[FOCAL_LENGTH] == 35 and exif.get_ifd(GPS)[1] == "N"
    xmp = result.info.get("xmp") or result.info["XML:com.adobe.xmp"].encode()
    assert b'tiff:Orientation="1"' in xmp


@pytest.mark.parametrize("suffix", WRITTEN)
def test_and_is_left_out_on_request(suffix, remover):
    cutout = remover.cut(photo_file(exif=camera_exif(), xmp=XMP))
    behind = Background("white") if suffix == ".jpg" else None
    data = cutout.encode(background=behind, suffix=suffix, strip=True)
    result = Image.open(io.BytesIO(data))
    assert MAKE not in result.getexif() and b"Acme" not in data and b"adobe:ns" not in data


@pytest.mark.parametrize("source", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_metadata_of_every_source(source):
    loaded = load_image(photo_file(source, exif=camera_exif(orientation=1)))
    exif = loaded_exif(loaded.exif)
    assert exif[MAKE] == "Acme" and exif.get_ifd(EXIF)[FOCAL_LENGTH] == 35


def test_results_as_images_carry_it(remover):
    result = remover(photo_file(exif=camera_exif(), dpi=(300, 72)))
    assert result.getexif()[MAKE] == "Acme" and result.getexif()[ORIENTATION] == 1
    assert result.info["dpi"] == pytest.approx((72, 300))


def test_exif_says_how_large_what_is_written_is():
    info = Info(exif=upright_exif(camera_exif(), (60, 40)))
    data = write_image(np.zeros((7, 9), np.uint8), format_of(".png"), info, WriteOptions())
    inner = Image.open(io.BytesIO(b"".join(data))).getexif().get_ifd(EXIF)
    assert (inner[WIDTH], inner[HEIGHT]) == (9, 7)


def test_pictures_without_any(remover):
    cutout = remover.cut(photo_file())
    assert cutout.image.exif is None and cutout.image.xmp is None
    assert b"eXIf" not in cutout.encode()


def test_more_than_a_jpeg_holds_is_refused_by_name():
    info = Info(exif=b"II*\0\x08\0\0\0" + bytes(69_996), name="a.png")
    with pytest.raises(ImageError, match=r"a\.png: 70,004 bytes of EXIF.*--strip"):
        write_image(np.zeros((2, 2, 3), np.uint8), format_of(".jpg"), info, WriteOptions())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(100))
def test_broken_blocks_spoil_no_tiff(seed):
    rng = np.random.default_rng(seed)
    block = np.frombuffer(camera_exif().removeprefix(PREFIX), np.uint8).copy()
    block[rng.integers(8, len(block), 8)] = rng.integers(0, 256, 8)
    pixels = rng.integers(0, 256, (3, 5, 4), np.uint8)
    info = Info(exif=block.tobytes(), name="a.jpg")
    data = b"".join(write_image(pixels, format_of(".tif"), info, WriteOptions()))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)
