"""Which files are pictures, and which of them are opened."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFile

from pyhades.errors import ImageError
from pyhades.segmentation.image import formats
from pyhades.segmentation.image.formats import picture_suffixes
from pyhades.segmentation.image.reading import load_image
from tests.support.image_files import encoded

PICTURE = Image.new("RGB", (16, 16), "red")


def test_every_suffix_of_an_opener_is_a_picture():
    suffixes = picture_suffixes()
    known = Image.registered_extensions()
    owned = {suffix for suffix, kind in known.items() if kind in Image.OPEN}
    assert owned - suffixes == {
        suffix for suffix, kind in known.items() if kind in ("BUFR", "GRIB", "HDF5", "MPEG")
    }
    phones = {".jfif", ".pnm", ".pbm", ".apng", ".dib", ".heic", ".hif", ".mpo", ".avif", ".jpe"}
    assert phones <= suffixes
    assert not {".pdf", ".txt", "", ".mp4"} & suffixes


@pytest.mark.parametrize(
    "suffix",
    [
        "jpg",
        "jpe",
        "jfif",
        "png",
        "apng",
        "webp",
        "tif",
        "tiff",
        "bmp",
        "dib",
        "gif",
        "pbm",
        "pgm",
        "ppm",
        "pnm",
        "qoi",
        "ico",
        "tga",
        "mpo",
    ],
)
def test_files_that_are_read(suffix, tmp_path):
    path = tmp_path / f"red.{suffix}"
    PICTURE.convert("1" if suffix == "pbm" else "RGB").save(path)
    assert load_image(path).size == (16, 16)


@pytest.mark.parametrize("suffix", ["pcx", "sgi", "rgb", "jp2", "j2k", "dds"])
def test_files_that_are_refused_by_name(suffix, tmp_path):
    path = tmp_path / f"red.{suffix}"
    PICTURE.save(path)
    assert path.suffix in picture_suffixes()
    kind = Image.registered_extensions()[path.suffix]
    with pytest.raises(ImageError, match=rf"red\.{suffix}: {kind} files are not opened"):
        load_image(path)
    with Image.open(path) as opened:  # whoever opens it means it
        assert load_image(opened).size == (16, 16)


def test_what_has_no_signature_goes_by_its_name(tmp_path):
    named, other = tmp_path / "red.tga", tmp_path / "red.bin"
    PICTURE.save(named)
    other.write_bytes(named.read_bytes())
    assert load_image(named).rgb[0, 0].tolist() == [255, 0, 0]
    with pytest.raises(ImageError, match=r"red\.bin: not an image in a supported format"):
        load_image(other)


def test_an_opener_that_somebody_registers_is_used(monkeypatch):
    class Opener(ImageFile.ImageFile):
        format = "MINE"

        def _open(self):
            self._mode, self._size = "L", (1, 1)
            self.tile = [ImageFile._Tile("raw", (0, 0, 1, 1), 4, "L")]

    for table in ("OPEN", "ID", "EXTENSION"):
        monkeypatch.setattr(Image, table, type(getattr(Image, table))(getattr(Image, table)))
    with pytest.raises(ImageError, match="not an image"):
        load_image(b"MINE\x07")
    Image.register_open("MINE", Opener, lambda start: start.startswith(b"MINE"))
    Image.register_extension("MINE", ".mine")
    assert load_image(b"MINE\x07").rgb.tolist() == [[[7, 7, 7]]]
    assert ".mine" in picture_suffixes()


def test_heic_needs_no_registration(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    heif.from_pillow(PICTURE.resize((64, 64))).save(tmp_path / "red.HEIC", quality=90)
    for source in (tmp_path / "red.HEIC", (tmp_path / "red.HEIC").read_bytes()):
        loaded = load_image(source)
        assert loaded.size == (64, 64)
        assert np.abs(loaded.rgb.astype(int) - [255, 0, 0]).max() < 12


def test_heic_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    monkeypatch.setattr(Image, "OPEN", {k: v for k, v in Image.OPEN.items() if k != "HEIF"})
    with pytest.raises(ImageError, match=r"a\.heic: HEIC files need .*pyhades\[heif\]"):
        load_image(b"\0\0\0\x18ftypheic" + bytes(40), name="a.heic")


def test_a_tiff_of_an_unknown_kind_is_not_called_no_image():
    data = encoded(PICTURE, "TIFF").replace(
        b"\x06\x01\x03\0\x01\0\0\0\x02", b"\x06\x01\x03\0\x01\0\0\0\x63"
    )
    with pytest.raises(ImageError, match="a TIFF with a layout"):
        load_image(data)
