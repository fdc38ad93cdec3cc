"""Disks that are full or read-only, folders that cannot be made: told, and never half a record."""

import errno
import os
import resource
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from pyhades.errors import ConfigurationError
from pyhades.llm.cache.disk import open_disk_level
from pyhades.llm.cache.disk.inspection import verify
from pyhades.llm.cache.policies import Use
from tests.support.disk_records import SHAPES, key_of, level_of, record_of, right, segments, taken

NOBODY = 65534


@contextmanager
def small_files(limit: int):
    """No file grows beyond so many bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def as_user():
    """A folder of somebody whom permissions bind, which they do not bind root."""
    folder = Path(tempfile.mkdtemp())
    old = os.geteuid()
    if not old:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        os.seteuid(old)
        for path in sorted(folder.rglob("*"), reverse=True):
            path.parent.chmod(0o700)
            path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()


@pytest.mark.parametrize("beyond", [1, 100, 400, 1000])
def test_a_full_disk_takes_nothing_half(tmp_path, beyond, caplog):
    level = level_of(tmp_path)
    for number in range(1, 6):
        level.put(record_of(number))
    size = segments(tmp_path)[0].stat().st_size
    with small_files(size + beyond):
        for number in range(6, 12):
            level.put(record_of(number))
        kept = right(level, range(1, 12))
        assert kept in ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6])
        assert level.counts().skipped == 11 - len(kept)
    assert len(caplog.records) == 1 and "does not grow" in caplog.text
    assert os.strerror(errno.EFBIG) in caplog.text
    level.put(record_of(20))
    assert right(level, range(1, 21)) == [*kept, 20]
    level.close()
    assert right(level_of(tmp_path), range(1, 21)) == [*kept, 20]
    assert not verify(tmp_path).damaged and not verify(tmp_path).torn


def test_no_room_for_an_index_or_a_new_segment(tmp_path):
    level = level_of(tmp_path)
    level.put(record_of(1))
    level.touch([key_of(1)], Use(50.0))
    with small_files(segments(tmp_path)[0].stat().st_size + 10):
        level.close()
    with small_files(10):
        again = level_of(tmp_path)
        assert right(again, [1]) == [1]
        again.put(record_of(2))
        assert again.counts().skipped == 1 and not again.has(key_of(2))
        assert len(segments(tmp_path)) == 1, "a segment that could not be begun is taken away"
    again.put(record_of(2))
    again.close()
    assert right(level_of(tmp_path), [1, 2]) == [1, 2]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_writes_that_fail_or_fall_short(tmp_path, monkeypatch, number):
    level = level_of(tmp_path)
    level.put(record_of(1))
    whole = os.pwritev
    size = taken(tmp_path)

    def short(descriptor, buffers, offset):
        return whole(descriptor, [b"".join(buffers)[:300]], offset)

    def fail(descriptor, *arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pwritev", short)
    monkeypatch.setattr(os, "pwrite", fail)
    level.put(record_of(2))
    assert (level.counts().skipped, taken(tmp_path)) == (1, size)
    monkeypatch.setattr(os, "pwrite", lambda descriptor, data, offset: 0)
    level.put(record_of(2))
    assert (level.counts().skipped, taken(tmp_path)) == (2, size)
    monkeypatch.undo()
    monkeypatch.setattr(os, "pwritev", short)
    level.put(record_of(2))
    assert right(level, [1, 2]) == [1, 2], "a short write is gone on with"


def test_what_cannot_be_cut_off_is_written_over(tmp_path, monkeypatch):
    level = level_of(tmp_path)
    level.put(record_of(1))

    def fail(*arguments):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def tear(descriptor, buffers, offset):
        os.pwrite(descriptor, b"".join(buffers)[:700], offset)
        fail()

    monkeypatch.setattr(os, "pwritev", tear)
    monkeypatch.setattr(os, "ftruncate", fail)
    level.put(record_of(2))
    monkeypatch.undo()
    level.put(record_of(3))
    assert right(level, range(1, 4)) == [1, 3]
    level.close()
    assert right(level_of(tmp_path), range(1, 4)) == [1, 3]


def test_reads_that_fail(tmp_path, monkeypatch, caplog):
    level = level_of(tmp_path)
    level.put(record_of(1))

    def fail(*arguments):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "pread", fail)
    assert level.get(key_of(1)) is None
    assert level.counts().damaged == 1 and "Input/output error" in caplog.text


def test_a_folder_that_can_only_be_read(as_user, caplog):
    level = level_of(as_user)
    for number in range(1, 6):
        level.put(record_of(number))
    level.close()
    as_user.chmod(0o500)
    only_read = level_of(as_user)
    assert right(only_read, range(1, 6)) == [1, 2, 3, 4, 5]
    for number in range(6, 10):
        only_read.put(record_of(number))
    only_read.touch([key_of(1)], Use(10.0))
    only_read.close()
    assert only_read.counts().skipped == 4
    assert len(caplog.records) == 1 and "cannot be written" in caplog.text


def test_a_cache_of_many_models_that_can_only_be_read(as_user, caplog):
    facts = {"name": "toy"}
    level = open_disk_level(as_user, facts, 1 << 20, SHAPES)
    level.put(record_of(1))
    level.close()
    level.folder.chmod(0o500)
    as_user.chmod(0o500)
    assert right(open_disk_level(as_user, facts, 1 << 20, SHAPES), [1]) == [1]
    assert "cannot be written" in caplog.text
    with pytest.raises(ConfigurationError, match="cannot make"):
        open_disk_level(as_user, {"weights": "2"}, 1 << 20, SHAPES)
    as_user.chmod(0o700)
    level.folder.chmod(0o700)


def test_a_torn_segment_that_can_only_be_read(as_user):
    level = level_of(as_user)
    for number in range(1, 4):
        level.put(record_of(number))
    path = segments(as_user)[0]
    level._appender.after_fork()  # as if it had been killed
    path.write_bytes(path.read_bytes()[:-7])
    size = path.stat().st_size
    as_user.chmod(0o500)
    assert right(level_of(as_user), range(1, 4)) == [1, 2] and path.stat().st_size == size


def test_a_folder_that_cannot_be_used(as_user):
    as_user.chmod(0o500)
    with pytest.raises(ConfigurationError, match=r"cannot write into .*; make it writable, or"):
        level_of(as_user)
    with pytest.raises(ConfigurationError, match=r"cannot make .*/new: Permission denied; choose"):
        level_of(as_user / "new")
    with pytest.raises(ConfigurationError, match=r"cannot make .*: Permission denied; choose"):
        open_disk_level(as_user / "new", {}, 1000, SHAPES)
    as_user.chmod(0)
    with pytest.raises(ConfigurationError, match="Permission denied"):
        level_of(as_user)


def test_a_file_in_the_place_of_a_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigurationError, match="file"):
            level_of(folder)
    assert (tmp_path / "file").read_text() == "x"


def test_a_segment_that_nobody_may_read(as_user):
    level = level_of(as_user)
    level.put(record_of(1))
    level.close()
    segments(as_user)[0].chmod(0)
    again = level_of(as_user)
    again.put(record_of(1))
    assert right(again, [1]) == [1] and again.counts().damaged == 1


def test_files_of_many_models_have_one_mode(tmp_path):
    level = open_disk_level(tmp_path / "cache", {"name": "toy"}, 1 << 20, SHAPES)
    level.put(record_of(1))
    for path in (tmp_path / "cache").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
