"""Files that are there as a whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import threading

import pytest

from pyhades.segmentation.bulk.sinks import whole
from pyhades.segmentation.bulk.sinks.files import FileSink
from pyhades.segmentation.bulk.sinks.whole import write_whole


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=["unnamed", "parts", "no links"])
def way(request, monkeypatch):
    """How a file comes to its name, on file systems that can do more or less."""
    if request.param == "parts":
        monkeypatch.setattr(whole, "_unnamed", lambda folder: None)
    if request.param == "no links":

        def link(source, target, **how):
            raise OSError(errno.EPERM, "Operation not permitted", target)

        monkeypatch.setattr(whole.os, "link", link)
    return request.param


def test_it_is_written_and_replaced(way, tmp_path):
    path = tmp_path / "a.png"
    write_whole(path, [b"one", b"", memoryview(b"two")], replace=False)
    assert path.read_bytes() == b"onetwo"
    with pytest.raises(FileExistsError) as caught:
        write_whole(path, [b"three"], replace=False)
    assert str(path) in (caught.value.filename, caught.value.filename2)
    assert path.read_bytes() == b"onetwo"
    write_whole(path, [b"three"])
    assert path.read_bytes() == b"three" and names(tmp_path) == ["a.png"]


def test_names_of_255_bytes(way, tmp_path):
    for stem in ("a" * 251, "写" * 83 + "ab"):
        for content in (b"one", b"two"):
            write_whole(tmp_path / f"{stem}.png", [content])
        assert (tmp_path / f"{stem}.png").read_bytes() == b"two"
    with pytest.raises(OSError, match="too long"):
        write_whole(tmp_path / ("a" * 252 + ".png"), [b"one"])
    assert len(names(tmp_path)) == 2


def test_what_goes_wrong_leaves_nothing(way, tmp_path):
    def pieces():
        yield b"one"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a.png", pieces())
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        write_whole(tmp_path / "folder", [b"one"])
    assert names(tmp_path) == ["folder"]


def test_the_umask_is_heeded_and_not_touched(way, tmp_path, monkeypatch):
    """Reading it means setting it, and a file that another thread makes then is anybody's."""
    before = os.umask(0o027)
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("somebody has set the umask"))
    try:
        write_whole(tmp_path / "a.png", [b"one"])
    finally:
        monkeypatch.undo()
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o640


def test_nothing_has_a_name_before_it_is_whole(tmp_path):
    if whole._unnamed(tmp_path) is None:
        pytest.skip("this file system has no files without a name")

    def pieces():
        yield b"one"
        assert names(tmp_path) == []
        yield b"two"

    write_whole(tmp_path / "a.png", pieces())
    assert (tmp_path / "a.png").read_bytes() == b"onetwo"


def test_many_threads_want_one_name(way, tmp_path):
    sink, refused = FileSink(tmp_path, "none"), []

    def write(number):
        try:
            sink.write("a.png", [bytes([number]) * 1000], replace=False)
        except FileExistsError:
            refused.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    content = (tmp_path / "a.png").read_bytes()
    assert len(content) == 1000 and len(set(content)) == 1
    if way != "no links":  # without them, one may come between a look and a rename
        assert len(refused) == 7 and content[0] not in refused
    assert names(tmp_path) == ["a.png"]
