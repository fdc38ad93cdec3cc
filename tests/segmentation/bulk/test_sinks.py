"""Results are whole or not there, and replace nothing that is somebody else's."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import tarfile
import zlib

import pytest

from pyhades.segmentation.bulk.sinks import files, parts, whole
from pyhades.segmentation.bulk.sinks.files import FileSink
from pyhades.segmentation.bulk.sinks.kept import KeptMembers
from pyhades.segmentation.bulk.sinks.parts import clean, part_name, parts_of
from pyhades.segmentation.bulk.sinks.tar import Shelf
from pyhades.segmentation.bulk.sinks.urls import UrlSink


def names(folder):
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


@pytest.mark.parametrize("sync", ["none", "file", "full"])
def test_files(tmp_path, sync, monkeypatch):
    calls = []
    monkeypatch.setattr(files.os, "fsync", lambda descriptor: calls.append(descriptor))
    sink = FileSink(tmp_path, sync)
    sink.write("a/b.png", [b"one"], replace=False)
    assert sink.size("a/b.png") == 3 and sink.holds("a/b.png", [b"one"])
    with pytest.raises(FileExistsError):
        sink.write("a/b.png", [b"two"], replace=False)
    assert (tmp_path / "a" / "b.png").read_bytes() == b"one"
    sink.write("a/b.png", [b"two"], replace=True)
    assert sink.holds("a/b.png", [b"two"]) and not sink.holds("a/b.png", [b"tw"])
    assert names(tmp_path) == ["a/b.png"]
    assert len(calls) == {"none": 0, "file": 3, "full": 5}[sync]  # the second came to its name
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "a" / "b.png").stat().st_mode) == 0o666 & ~umask


def test_folders_are_not_replaced(tmp_path):
    (tmp_path / "a.png").mkdir()
    (tmp_path / "file").write_text("mine")
    sink = FileSink(tmp_path, "none")
    for replace in (False, True):
        with pytest.raises(FileExistsError, match="folder"):
            sink.write("a.png", [b"one"], replace=replace)
        with pytest.raises(OSError):
            sink.write("file/b.png", [b"one"], replace=replace)
    assert names(tmp_path) == ["file"] and sink.size("file/b.png") is None


def test_without_links_nothing_is_replaced_either(tmp_path, monkeypatch):
    def link(source, target, **how):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(whole.os, "link", link)
    sink = FileSink(tmp_path, "none")
    sink.write("a.png", [b"one"], replace=False)
    with pytest.raises(FileExistsError):
        sink.write("a.png", [b"two"], replace=False)
    assert names(tmp_path) == ["a.png"] and sink.holds("a.png", [b"one"])


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        FileSink(tmp_path, "file").write("a.png", [b"o", b"", b"ne"], replace=False)
    assert names(tmp_path) == []


def dead_name(target="", monkeypatch=None):
    """The name of a part that a process left which is no more."""
    done = subprocess.Popen(["true"])
    done.wait()
    name = part_name(target)
    parts.release(name)
    return name.replace(f"-{os.getpid()}-", f"-{done.pid}-")


def test_only_the_dead_are_cleaned_up_after(tmp_path):
    alive, dead, archive = part_name(), dead_name(), dead_name("x.tar")
    elsewhere = dead.replace(dead[9:17], "0" * 8)
    others = [alive, elsewhere, ".pyhades-x.part", "photo.part", archive]
    for name in [dead, *others]:
        (tmp_path / name).write_bytes(b"half")
    assert clean(tmp_path) == 1
    assert names(tmp_path) == sorted(others)
    assert clean(tmp_path / "missing") == 0
    parts.release(alive)


def test_a_part_of_this_process_that_nobody_writes_is_as_good_as_dead(tmp_path):
    name = part_name("x.tar")
    (tmp_path / name).write_bytes(b"half")
    assert parts_of(tmp_path, "x.tar") == []
    parts.release(name)
    assert [path.name for path in parts_of(tmp_path, "x.tar")] == [name]
    assert parts_of(tmp_path, "y.tar") == []


# Archives.


class Log:
    """What a shelf has said."""

    def __init__(self):
        self.kept, self.failed, self.finished = [], [], []

    def fill(self, place, data):
        place.fill(
            None if data is None else [data[:3], data[3:]],
            lambda crc32: self.kept.append((place.name, crc32)),
            lambda error: self.failed.append((place.name, str(error))),
        )


@pytest.fixture
def log():
    return Log()


def shelf(tmp_path, log, **how):
    options = {"sync": "file", "replace": False, "finished": log.finished.append, **how}
    return Shelf(tmp_path / "x.tar", **options)


def resumed(tmp_path, log, **how):
    options = {"sync": "none", "replace": False, "has_name": False, **how}
    return Shelf.resumed(tmp_path / "x.tar", finished=log.finished.append, **options)


def members(path):
    with tarfile.open(path) as archive:
        return {info.name: archive.extractfile(info).read() for info in archive}


def test_members_stand_in_order_whatever_comes_first(tmp_path, log):
    made = shelf(tmp_path, log)
    places = [made.place(f"{n}.png", 5) for n in range(4)]
    made.end()
    for number in (2, 3, 1):
        log.fill(places[number], bytes([number]) * 700)
    assert not (tmp_path / "x.tar").exists() and log.kept == []
    log.fill(places[0], None)  # it failed
    assert list(members(tmp_path / "x.tar")) == ["1.png", "2.png", "3.png"]
    made.advance()
    assert log.kept[1] == ("1.png", zlib.crc32(b"\1" * 700)) and log.finished == [made]
    assert names(tmp_path) == ["x.tar"]


@pytest.mark.parametrize("cut", [0, 1, 100, 511, 512, 1023, 1024, 1536, 2000, 4000, 1 << 20])
def test_an_archive_goes_on_where_it_was(tmp_path, log, cut):
    """Whatever of it was written: byte for byte what is written at once."""
    data = {f"{n}.png": os.urandom(500 + n) for n in range(3)}
    whole = tmp_path / "whole"
    whole.mkdir()
    made = shelf(whole, log)
    for name, content in data.items():
        log.fill(made.place(name, 5), content)
    made.end()
    expected = (whole / "x.tar").read_bytes()
    (tmp_path / dead_name("x.tar")).write_bytes(expected[:cut])
    made = resumed(tmp_path, log)
    again = 0
    for name, content in data.items():
        if not made.has(name, zlib.crc32(content)):
            log.fill(made.place(name, 5), content)
            again += 1
    made.end()
    assert (tmp_path / "x.tar").read_bytes() == expected
    assert again == 3 - min(3, cut // 1024)
    assert names(tmp_path) == ["whole/x.tar", "x.tar"]


def test_what_differs_is_written_again(tmp_path, log):
    made = shelf(tmp_path, log)
    log.fill(made.place("a.png", 5), b"old")
    log.fill(made.place("b.png", 5), b"same")
    made.suspend()
    made = resumed(tmp_path, log)
    assert not made.has("a.png", zlib.crc32(b"new"))
    log.fill(made.place("a.png", 5), b"new")
    assert not made.has("b.png", zlib.crc32(b"same"))  # it is gone with what stood before it
    log.fill(made.place("b.png", 5), b"same")
    made.end()
    assert members(tmp_path / "x.tar") == {"a.png": b"new", "b.png": b"same"}


def test_a_finished_archive_whose_run_could_not_say_so(tmp_path, log):
    made = shelf(tmp_path, log)
    log.fill(made.place("a.png", 5), b"one")
    made.end()
    before = (tmp_path / "x.tar").stat()
    made = resumed(tmp_path, log, has_name=True)
    assert made.has("a.png", zlib.crc32(b"one"))
    made.end()
    assert log.finished[-1] is made and made.problem is None
    assert (tmp_path / "x.tar").stat().st_mtime_ns == before.st_mtime_ns
    for ask in (lambda made: made.has("a.png", 1), lambda made: made.end()):
        made = resumed(tmp_path, log, has_name=True)
        ask(made)
        made.end()
        assert isinstance(made.problem, FileExistsError)
    assert members(tmp_path / "x.tar") == {"a.png": b"one"}


def test_an_archive_on_a_full_disk(tmp_path, log, monkeypatch):
    made = shelf(tmp_path, log)
    places = [made.place(f"{n}.png", 5) for n in range(3)]
    log.fill(places[0], b"fits")

    def full(info, file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(made._archive, "addfile", full)
    log.fill(places[2], b"waits")
    log.fill(places[1], b"does not")
    made.end()
    assert [name for name, _ in log.failed] == ["1.png", "2.png"]
    assert "No space" in str(made.problem) and log.finished == [made]
    assert names(tmp_path) == []


def test_kept_members_of_what_is_no_archive(tmp_path):
    (tmp_path / "x").write_bytes(b"junk" * 1000)
    kept = KeptMembers(tmp_path / "x")
    assert not kept.is_next("a", 0) and kept.end == 0
    kept.close()


# URLs.


def test_urls():
    pytest.importorskip("fsspec")
    sink = UrlSink("memory://sinks/out")
    sink.write("a/b.png", [b"one"], replace=False)
    with pytest.raises(FileExistsError):
        sink.write("a/b.png", [b"two"], replace=False)
    sink.write("a/b.png", [b"two"], replace=True)
    assert sink.holds("a/b.png", [b"two"]) and sink.size("a/c.png") is None
    assert sink._files.ls("/sinks/out/a", detail=False) == ["/sinks/out/a/b.png"]


def test_a_url_that_breaks_leaves_nothing(tmp_path, monkeypatch):
    pytest.importorskip("fsspec")
    sink = UrlSink(f"file://{tmp_path}")

    def broken(source, target):
        raise OSError("gone")

    monkeypatch.setattr(type(sink._files), "mv", lambda self, *names: broken(*names))
    with pytest.raises(OSError, match="gone"):
        sink.write("b.png", [b"one"], replace=False)
    assert names(tmp_path) == []
