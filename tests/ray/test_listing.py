"""Which pictures there are, and what their results are called. Nothing here needs Ray."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest

from pyhades.errors import ArgumentError
from pyhades.ray.listing import evenly_cut, listed_pictures
from pyhades.segmentation.plausibility import SAMPLES


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in" / "below").mkdir(parents=True)
    for name in ("a.jpg", "a.png", "b.jpg", ".hidden.jpg", "text.txt", "below/a.jpg"):
        shutil.copy(SAMPLES[0], tmp_path / "in" / name)
    return tmp_path / "in"


def test_a_folder(folder):
    table = listed_pictures(folder)
    assert table.to_pydict() == {
        "path": [str(folder / name) for name in ("a.jpg", "a.png", "b.jpg", "below/a.jpg")],
        "key": ["a.jpg", "a.png", "b.jpg", "below/a.jpg"],
        "target": ["a.jpg.png", "a.png.png", "b.png", "below/a.png"],
    }
    top = listed_pictures([folder], recursive=False, suffix=".webp")
    assert top["target"].to_pylist() == ["a.jpg.webp", "a.png.webp", "b.webp"]


def test_urls_and_files(folder, monkeypatch):
    files = fsspec.filesystem("memory")
    for name in ("/list/x.jpg", "/list/below/y.jpg"):
        files.pipe_file(name, b"")
    monkeypatch.chdir(folder)
    table = listed_pictures(["memory://list/", "memory://list/x.jpg", "b.jpg", folder / "b.jpg"])
    assert table.to_pydict() == {
        "path": ["memory://list/x.jpg", "memory://list/below/y.jpg", str(folder / "b.jpg")],
        "key": ["x.jpg", "below/y.jpg", "b.jpg"],
        "target": ["x.png", "below/y.png", "b.png"],
    }


def test_what_is_not_there(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    for wrong, why in [
        (folder / "none", "there is no such file or folder"),
        ("memory://nowhere", "there is no such file or folder"),
        (tmp_path / "empty", "no pictures in"),
        ([], "no pictures in no inputs"),
    ]:
        with pytest.raises(ArgumentError, match=why):
            listed_pictures(wrong)


def test_a_name_that_is_no_text(tmp_path):
    """Tables cannot hold it."""
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")).write_bytes(b"")
    with pytest.raises(ArgumentError, match=r"udcff.jpg' is no UTF-8, as names in tables are"):
        listed_pictures(tmp_path)


@pytest.mark.parametrize("count", [1, 3, 7])
def test_parts_hold_every_row_once(count):
    table = pa.table({"path": [str(number) for number in range(20)]})
    parts = evenly_cut(table, count)
    assert pa.concat_tables(parts) == table
    sizes = [part.num_rows for part in parts]
    assert len(sizes) == count and max(sizes) - min(sizes) <= 1


def test_two_pictures_of_one_result(folder):
    with pytest.raises(ArgumentError, match=r"would both become a.png; list them apart"):
        listed_pictures([folder / "below", folder / "a.jpg"])
