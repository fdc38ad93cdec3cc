"""Where pictures come from, and what they are called."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import threading
import time

import pytest

from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.sources.checking import check
from pyhades.segmentation.bulk.sources.lists import Listed
from pyhades.segmentation.bulk.sources.naming import Taken, inside, results_of
from pyhades.segmentation.bulk.sources.opening import Finding, open_inputs
from pyhades.segmentation.bulk.sources.tar import Archive
from pyhades.segmentation.bulk.sources.tree import Files, Tree
from pyhades.segmentation.bulk.sources.urls import Remote
from tests.support.bulk_runs import encoded, write_archive, write_folder


def targets(source):
    return {picture.key: picture.target for picture in source}


def reason(picture):
    with pytest.raises(Exception) as caught:
        picture.read()
    return str(caught.value)


# Names.


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.jpg", "b.png"], ["a.png", "b.png"]),
        (["a.jpg", "a.png"], ["a.jpg.png", "a.png.png"]),
        (["a.jpg", "a.png", "a.jpg.tif"], ["a.jpg.png", "a.png.png", "a.jpg.tif.png"]),
        (["a.b.jpg"], ["a.b.png"]),
        ([], []),
    ],
)
def test_results(names, expected):
    assert list(results_of(names, ".png").values()) == expected


@pytest.mark.parametrize("path", ["../a", "a/../../b", "/", ""])
def test_what_leads_out_is_refused(path):
    with pytest.raises(ArgumentError, match="leads out"):
        inside(path)


def test_taken():
    taken = Taken()
    assert taken.take("a") and taken.take("A") and not taken.take("a")
    assert not taken.is_case_clash("a") and taken.is_case_clash("A")


# Folders.


@pytest.fixture
def tree(tmp_path):
    return write_folder(tmp_path / "in", 6)


def test_a_tree(tree):
    (tree / ".hidden").mkdir()
    (tree / ".hidden" / "x.png").write_bytes(b"")
    (tree / "notes.txt").write_text("")
    found = list(Tree(tree, ".webp"))
    assert [picture.key for picture in found] == sorted(picture.key for picture in found)
    assert len(found) == 6 and found[0].target == "d0/p000.webp"
    assert found[0].read() == encoded(0) and found[0].stamp.size == len(encoded(0))
    assert targets(Tree(tree, ".png", recursive=False)) == {}


def test_links_are_followed_but_not_in_circles(tree, tmp_path):
    elsewhere = write_folder(tmp_path / "elsewhere", 2)
    (tree / "link").symlink_to(elsewhere)
    (tree / "again").symlink_to(elsewhere / "d0")
    (tree / "d1" / "loop").symlink_to(tree)
    (tree / "d1" / "up").symlink_to(tmp_path)
    (tree / "d2" / "beside").symlink_to("../d0")
    (elsewhere / "d0" / "self").symlink_to(elsewhere / "d0")
    (tree / "dangling.png").symlink_to("nowhere")
    source = Tree(tree, ".png")
    found = {picture.key: picture for picture in source}
    assert {"again/p000.png", "link/d1/p001.png"} < set(found) and len(found) == 6 + 1 + 1 + 2
    assert "No such file" in reason(found["dangling.png"])
    told = "\n".join(source.left_out.links)
    assert told.count("which is gone through anyway") == 4
    assert "in which the folder itself lies" in told


def test_links_do_not_multiply(tmp_path):
    """Folders with links to all of them have more ways through them than anybody has time."""
    source = write_folder(tmp_path / "in", 12)
    outside = [write_folder(tmp_path / f"out{n}", 1) for n in range(12)]
    for folder in outside:
        (source / f"to-{folder.name}").symlink_to(folder)
        for other in outside:
            (folder / f"to-{other.name}").symlink_to(other)
    assert len(list(Tree(source, ".png"))) == 12 + 12


def test_what_is_left_out_is_told(tree):
    for name in ("notes.txt", "d0/more.txt", "photo", "x.json"):
        (tree / name).write_text("")
    os.mkfifo(tree / "pipe.png")
    source = Tree(tree, ".png")
    assert len(list(source)) == 6
    names, pipe = source.left_out.lines()
    assert f"1 without suffix ({tree / 'photo'}), 2 .txt (such as {tree / 'notes.txt'})" in names
    assert "1 .json" in names and "pipe.png, which is a pipe" in pipe
    for number in range(20):
        (tree / f"x.{number}").write_text("")
    assert len(list(source)) == 6
    assert next(source.left_out.lines()).endswith(", 15 more")


def test_a_folder_that_cannot_be_read(tree, monkeypatch):
    """Simulated: the superuser may read all."""
    plain = os.scandir

    def scandir(folder):
        if str(folder).endswith("d1"):
            raise PermissionError(13, "Permission denied", str(folder))
        return plain(folder)

    monkeypatch.setattr("pyhades.segmentation.bulk.sources.tree.os.scandir", scandir)
    found = {picture.key: picture for picture in Tree(tree, ".png")}
    assert "Permission denied" in reason(found["d1/"]) and len(found) == 5


def test_results_below_the_input_are_left_out(tree):
    write_folder(tree / "cut", 3)
    assert len(targets(Tree(tree, ".png", excluded=[tree / "cut"]))) == 6
    assert len(targets(Tree(tree, ".png", excluded=[tree]))) == 9


def test_results_that_come_while_it_is_gone_through_are_left_out(tree):
    results = {}
    source = Tree(tree, ".png", results=results)
    for number, _ in enumerate(source):
        if number == 0:
            (tree / "d2" / "result.png").write_bytes(b"result")
            results[str((tree / "d2" / "result.png").resolve())] = 6
    assert number == 5 and source.left_out.results == 1
    (tree / "d2" / "result.png").write_bytes(b"a picture of somebody")
    assert len(list(source)) == 7


def test_what_a_tree_holds(tree):
    source = Tree(tree, ".png", excluded=[tree / "d2"])
    assert source.holds(tree / "d0" / "p000.png")
    assert not source.holds(tree / "d2" / "p002.png")
    assert not source.holds(tree.parent / "p.png") and not source.holds(tree / ".x" / "p.png")
    assert Files([tree / "d0" / "p000.png"], ".png").holds(tree / "d1" / ".." / "d0" / "p000.png")


# What is said before the first is read.


def checked(inputs, destination=None, **how):
    options = {"recursive": True, "excluded": [], **how}
    return check(open_inputs(inputs, Finding(".png", **options)), destination, lambda key: True)


def test_all_names_are_checked(tree, tmp_path):
    assert checked([tree]) == (6, [])
    (tmp_path / "empty").mkdir()
    other = write_folder(tmp_path / "other", 1) / "d0"
    for inputs, words in (
        ([tmp_path / "empty"], "no images in this folder"),
        ([tmp_path / "missing"], "no such file or folder"),
        ([tree / "d0" / "p000.png", other], "would both become"),
    ):
        with pytest.raises(ArgumentError, match=words):
            checked(inputs)
    with pytest.raises(ArgumentError, match="would replace the input"):
        checked([tree], tree)


def test_names_that_differ_in_case_only_are_told(tree):
    (tree / "d0" / "P000.png").write_bytes(encoded(1))
    count, (warning,) = checked([tree])
    assert count == 7 and "differs from another in case only" in warning


def test_archives_are_checked_too(tmp_path):
    path = write_archive(tmp_path / "in" / "a.tar", 1)
    other = write_archive(tmp_path / "b" / "a.tar", 1)
    with pytest.raises(ArgumentError, match=r"would both become a\.tar"):
        checked([path, other])
    with pytest.raises(ArgumentError, match="would replace the input"):
        checked([path], tmp_path / "in")


# Lists.


def test_a_list_of_paths(tree, tmp_path, monkeypatch):
    monkeypatch.chdir(tree)
    lines = ["d0/p000.png\n", "\n", f"{tree}/d1/p001.png", "../x.png", "missing.jpg"]
    found = {picture.key: picture for picture in Listed(lines, ".png")}
    absolute = f"{str(tree)[1:]}/d1/p001.png"
    assert list(found) == ["d0/p000.png", absolute, "line 4", "missing.jpg"]
    assert found["d0/p000.png"].read() == encoded(0) and found[absolute].target == absolute
    assert "leads out" in reason(found["line 4"]) and "No such" in reason(found["missing.jpg"])


@pytest.mark.parametrize(
    ("line", "key", "target"),
    [
        ('{"path": "d0/p000.png"}', "d0/p000.png", "d0/p000.png"),
        ('{"path": "d0/p000.png", "id": "cat.1"}', "cat.1", "cat.1.png"),
        ('{"path": "d0/p000.png", "id": 7}', "line 1", ""),
        ('{"path": "d0/p000.png", "output": "x/y.png"}', "d0/p000.png", "x/y.png"),
        ('{"path": "d0/p000.png", "output": "x.jpg"}', "line 1", ""),
        ('{"path": "d0/p000.png", "output": "../x.png"}', "line 1", ""),
        ('{"path": "d0/p000.png", "id": "../x"}', "line 1", ""),
        ('{"id": "x"}', "line 1", ""),
        ("[1]", "line 1", ""),
        ("{", "line 1", ""),
    ],
)
def test_lists_of_objects(tree, monkeypatch, line, key, target):
    monkeypatch.chdir(tree)
    (picture,) = Listed([line], ".png", "json")
    assert (picture.key, picture.target) == (key, target)
    if not target:
        assert reason(picture).startswith("line 1: ")
        assert ("it is no JSON: " in reason(picture)) == (line == "{")


def test_a_list_that_comes_through_a_pipe(tree):
    read, write = os.pipe()
    listed = Listed.from_stream(os.fdopen(read, "rb"), ".png")
    pictures = iter(listed)
    os.write(write, f"{tree}/d0/p000.png\n{tree}/d1/p0".encode())
    assert next(pictures).read() == encoded(0)
    os.write(write, b"01.png")
    os.close(write)
    assert next(pictures).read() == encoded(1)
    assert list(pictures) == []


def test_a_list_that_somebody_still_types_can_be_left():
    read, write = os.pipe()
    listed = Listed.from_stream(os.fdopen(read, "rb"), ".png")
    threading.Timer(0.05, listed.stop).start()
    assert list(listed) == []
    os.close(write)


def test_a_list_in_memory():
    (picture,) = Listed.from_stream(io.BytesIO(b"x.png\n"), ".png")
    assert picture.key == "x.png"


# Archives.


class Desk:
    """A run without archives of results."""

    def skip(self, key):
        raise AssertionError(key)


def unpacked(path):
    return list(Archive(path, path.name, None, ".png").pictures(Desk()))


def test_an_archive(tmp_path):
    path = write_archive(tmp_path / "a.tar", 3)
    found = unpacked(path)
    assert targets(found) == {f"a.tar/s00{n}.jpg": f"a/s00{n}.png" for n in range(3)}
    assert found[1].read() == encoded(1, "JPEG")
    subprocess.run(["gzip", "-k", path], check=True)
    assert len(unpacked(tmp_path / "a.tar.gz")) == 3


def test_an_archive_of_names_that_lead_out(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("../../x.jpg", "/y.jpg"):
            info = tarfile.TarInfo(name)
            info.size = 1
            archive.addfile(info, io.BytesIO(b"x"))
        link = tarfile.TarInfo("z.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    found = unpacked(path)
    assert "leads out" in reason(found[0])
    assert [p.target for p in found] == ["", "a/y.png"]


@pytest.mark.parametrize(
    "damage", ["junk", "cut in a header", "cut in data", "a header of zeros and ones"]
)
def test_a_damaged_archive_is_told_from_one_that_ends(tmp_path, damage):
    path = write_archive(tmp_path / "a.tar", 3)
    data = bytearray(path.read_bytes())
    if damage == "junk":
        data = bytearray(b"junk" * 1000)
    elif damage == "cut in a header":
        del data[2 * 2048 - 200 :]
        at = data.rfind(b"ustar") + 100  # the last header that is left
        del data[at:]
    elif damage == "cut in data":
        del data[700:]
    else:
        at = data.rfind(b"s002.jpg")
        data[at : at + 512] = b"\1\0" * 256
    path.write_bytes(data)
    found = unpacked(path)
    assert found and "the archive is damaged" in reason(found[-1])


def test_an_archive_without_an_end_is_whole(tmp_path):
    path = write_archive(tmp_path / "a.tar", 2)
    data = path.read_bytes().rstrip(b"\0")
    path.write_bytes(data + b"\0" * (-len(data) % 512))
    assert len(unpacked(path)) == 2


# Tables.


def write_table(path, columns):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(arrow.table(columns), path)
    return path


def test_tables(tmp_path):
    from pyhades.segmentation.bulk.sources.parquet import Table

    data = [encoded(0), encoded(1), None]
    path = write_table(tmp_path / "t.parquet", {"image": data, "id": ["a/x.jpg", "b", "c"]})
    found = list(Table(path, "t.parquet", None, ".png").pictures(Desk()))
    assert targets(found) == {
        "t.parquet/a/x.jpg": "t/a/x.png", "t.parquet/b": "t/b.png", "t.parquet/c": "",
    }  # fmt: skip
    assert found[1].read() == data[1] and "no bytes" in reason(found[2])
    assert len(Table(path, "t.parquet", None, ".png")) == 3


def test_tables_as_datasets_have_them(tmp_path):
    from pyhades.segmentation.bulk.sources.parquet import Table

    records = [{"bytes": encoded(0), "path": "x.jpg"}, {"bytes": encoded(1), "path": None}]
    path = write_table(tmp_path / "t.parquet", {"image": records, "label": [1, 2]})
    found = list(Table(path, "t.parquet", None, ".png").pictures(Desk()))
    assert list(targets(found).values()) == ["t/x.png", "t/00000001.png"]


def test_which_column(tmp_path):
    from pyhades.segmentation.bulk.sources.parquet import Table

    path = write_table(tmp_path / "t.parquet", {"one": [b"1"], "two": [b"2"]})
    with pytest.raises(ArgumentError, match=r"one, two; name one with column="):
        list(Table(path, "t.parquet", None, ".png").pictures(Desk()))
    (picture,) = Table(path, "t.parquet", None, ".png", column="two").pictures(Desk())
    assert picture.read() == b"2"
    with pytest.raises(ArgumentError, match="no column 'three'"):
        list(Table(path, "t.parquet", None, ".png", column="three").pictures(Desk()))
    path.write_bytes(path.read_bytes()[:50])
    (picture,) = Table(path, "t.parquet", None, ".png").pictures(Desk())
    assert picture.target == "" and reason(picture)


# URLs.


def test_urls(tree):
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    for name in ("b.jpg", "a/c.png", "a/.hidden.png", "a/notes.txt"):
        files.pipe_file(f"/sources/{name}", encoded(0))
    source = Remote("memory://sources", ".png")
    assert targets(source) == {"b.jpg": "b.png", "a/c.png": "a/c.png"}
    assert next(iter(source)).read() == encoded(0)
    assert targets(Remote("memory://sources", ".png", recursive=False)) == {"b.jpg": "b.png"}
    assert targets(Remote("memory://sources/b.jpg", ".png")) == {"b.jpg": "b.png"}
    (nothing,) = Remote("memory://nowhere", ".png")
    assert nothing.target == "" and reason(nothing)
    local = Remote(f"file://{tree}", ".png")
    assert targets(local) == targets(Tree(tree, ".png"))
    stamps = [picture.stamp.size for picture in local]
    assert stamps == [picture.stamp.size for picture in Tree(tree, ".png")]
    with pytest.raises(ArgumentError, match="nonsense"):
        Remote("nonsense://x", ".png")


def test_walking_is_lazy(tmp_path):
    """The first pictures are there before the last folder is read."""
    root = write_folder(tmp_path / "in", 6)
    pictures = iter(Tree(root, ".png"))
    next(pictures)
    (root / "d2" / "late.png").write_bytes(encoded(9))
    assert "d2/late.png" in {picture.key for picture in pictures}
    assert time.monotonic()
