"""What callers hold: open files, paths, images that were closed."""

from __future__ import annotations

import io
import os
import pickle
import tempfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from pyhades.errors import ArgumentTypeError, ImageError, ImageFileError, MissingImageError
from pyhades.segmentation.image.reading import load_image
from pyhades.segmentation.image.sources import Reader
from tests.support.image_files import encoded

PICTURE = Image.new("RGB", (4, 3), "red")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "red.png"
    PICTURE.save(path)
    return path


def test_a_missing_file_is_also_what_callers_expect(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.png: No such file") as caught:
        load_image(tmp_path / "gone.png")
    assert isinstance(caught.value, MissingImageError | ImageError)
    assert caught.value.errno == 2 and str(caught.value.filename).endswith("gone.png")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    with pytest.raises(FileNotFoundError):
        load_image(tmp_path / "no folder" / "gone.png")


def test_a_folder_is_no_missing_file(tmp_path):
    with pytest.raises(ImageFileError, match="Is a directory") as caught:
        load_image(tmp_path)
    assert isinstance(caught.value, OSError)
    assert not isinstance(caught.value, FileNotFoundError)


@pytest.mark.parametrize(
    "path, complaint",
    [
        ("a\0b.jpg", "not a path"),
        ("", "empty"),
        ("https://a.org/a.jpg", "https://a.org/a.jpg: "),
        ("data:image/png;base64,iVBO", "this is a URL"),
        ("iVBO" * 9999, "39,996 characters"),
    ],
)
def test_paths_that_are_none(path, complaint):
    with pytest.raises(ImageError, match=complaint):
        load_image(path)


def test_a_file_at_its_end_says_so():
    file = io.BytesIO()
    PICTURE.save(file, "PNG")
    with pytest.raises(ImageError, match=r"position is at the end .* seek\(0\)"):
        load_image(file)
    file.seek(0)
    assert load_image(file).size == (3, 4)
    with pytest.raises(ImageError, match="the file is empty"):
        load_image(io.BytesIO())


def test_a_picture_in_the_middle_of_a_file():
    file = io.BytesIO(b"before" + encoded(PICTURE))
    file.seek(6)
    assert load_image(file).size == (3, 4)


def test_files_that_give_text(path):
    with path.open(encoding="latin-1") as file, pytest.raises(ArgumentTypeError, match="'rb'"):
        load_image(file)
    with pytest.raises(ArgumentTypeError, match="'rb'"):
        load_image(io.StringIO("x"))

    class Text:
        def read(self):
            return "x"

    with pytest.raises(ArgumentTypeError, match="'rb'"):
        load_image(Text())


def test_files_that_give_something_else(path):
    class Later:
        async def read(self):
            return b""

    class Numbers:
        def read(self):
            return [1]

    with pytest.raises(ArgumentTypeError, match="await"):
        load_image(Later())
    with pytest.raises(ArgumentTypeError, match="gives list"):
        load_image(Numbers())
    with path.open("rb") as file:
        pass
    with pytest.raises(ImageError, match="closed file"):
        load_image(file)


def test_other_files(path, tmp_path):
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.write(path, "red.png")
    with zipfile.ZipFile(tmp_path / "z.zip").open("red.png") as member:
        assert load_image(member).size == (3, 4)
    with tempfile.SpooledTemporaryFile() as spooled:
        spooled.write(path.read_bytes())
        spooled.seek(0)
        assert load_image(spooled).size == (3, 4)


def test_entries_of_folders_are_paths(path):
    for folder in (path.parent, os.fsencode(path.parent)):
        (entry,) = os.scandir(folder)
        assert load_image(entry).name == str(path)


def test_pipes_have_no_position():
    end, start = os.pipe()
    with os.fdopen(end, "rb") as pipe:
        with os.fdopen(start, "wb") as writer:
            writer.write(encoded(PICTURE))
        assert load_image(pipe).size == (3, 4)


def test_closed_images_say_so(path, tmp_path):
    closed = Image.open(path)
    closed.close()
    with Image.open(path) as left:
        pass
    PICTURE.save(tmp_path / "red.jpg")
    with Image.open(tmp_path / "red.jpg") as left_jpeg:
        pass
    for image in (closed, left, left_jpeg):
        with pytest.raises(ImageError, match="was closed"):
            load_image(image)
    with Image.open(path) as loaded:
        loaded.load()
    assert load_image(loaded).size == (3, 4)


def test_the_image_of_the_caller_is_left_alone():
    image = PICTURE.copy()
    before = image.tobytes(), dict(image.info), image.mode
    loaded = load_image(image)
    loaded.rgb[:] = 0
    assert (image.tobytes(), dict(image.info), image.mode) == before


def test_bytes_of_all_kinds():
    data = encoded(PICTURE)
    apart = np.frombuffer(data, np.uint8).repeat(2)[::2].data
    square = np.frombuffer(data + bytes(-len(data) % 4), np.uint8).reshape(2, -1).data
    words = np.frombuffer(data + bytes(-len(data) % 4), np.uint32).data
    for given in (data, bytearray(data), memoryview(data), apart, square, words):
        assert load_image(given).size == (3, 4)
    with pytest.raises(ImageError, match="the file is empty"):
        load_image(memoryview(b""))


def test_a_file_that_lies_about_its_length_gets_no_memory():
    """Found by reading files with mistakes: four gigabytes were made room for, for a few bytes."""
    reader = Reader(b"short")
    assert reader.read(1 << 60) == b"short"
    assert reader.read(10) == b"" and reader.seek(-2, io.SEEK_END) == 3
    assert reader.read() == b"rt"
