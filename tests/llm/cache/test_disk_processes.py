"""Several processes on one folder, processes that fork, and processes that are killed."""

import fcntl
import gc
import os
import signal
import struct
import time

import pytest

from pyhades.errors import ConfigurationError
from pyhades.llm.cache.disk import inspection
from pyhades.llm.cache.disk import level as of_level
from pyhades.llm.cache.disk.files import remove_idle
from pyhades.llm.cache.policies import Use
from tests.support.disk_records import key_of, level_of, record_of, right, segments, taken
from tests.support.forked import child_that, in_child


@pytest.fixture
def looks_at_once(monkeypatch):
    """Levels take note of what others write without waiting a second."""
    monkeypatch.setattr(of_level, "LOOK_AGAIN", 0.0)


def test_each_writes_its_own_and_reads_the_others(tmp_path, looks_at_once):
    one, two = level_of(tmp_path), level_of(tmp_path)
    for number in range(1, 21):
        (one if number % 2 else two).put(record_of(number))
    assert len(segments(tmp_path)) == 2
    for level in (one, two):
        assert right(level, range(1, 21)) == list(range(1, 21))
        assert level.counts().damaged == 0
    assert one.counts().written == two.counts().written == 10
    one.close()
    two.put(record_of(21))
    assert right(two, range(1, 22)) == list(range(1, 22)) and two.counts().damaged == 0


def test_what_another_has_written_is_not_written_again(tmp_path, looks_at_once):
    one, two = level_of(tmp_path), level_of(tmp_path)
    one.put(record_of(1))
    two.put(record_of(1))
    assert (two.counts().written, two.counts().records) == (0, 1)


def test_it_looks_once_in_a_while(tmp_path, monkeypatch):
    assert of_level.LOOK_AGAIN == 1.0, "a second, as the page about the cache says"
    monkeypatch.setattr(of_level, "LOOK_AGAIN", 3600.0)
    one, two = level_of(tmp_path), level_of(tmp_path)
    assert two.get(key_of(1)) is None
    one.put(record_of(1))
    assert two.get(key_of(1)) is None
    monkeypatch.setattr(of_level, "LOOK_AGAIN", 1e-9)
    assert two.get(key_of(1)) is not None and two.counts().misses == 2


def test_rooms_are_shared(tmp_path, looks_at_once):
    levels = [level_of(tmp_path, 60_000) for _ in range(3)]
    for number in range(1, 300):
        levels[number % 3].put(record_of(number))
        assert taken(tmp_path) <= 60_000
    for level in levels:
        there = right(level, range(1, 300))
        assert len(there) > 20
        assert level.counts().damaged == 0


def test_what_somebody_writes_is_not_removed(tmp_path):
    one = level_of(tmp_path, 40_000)
    one.put(record_of(1))
    path = segments(tmp_path)[0]
    assert not remove_idle(path)
    two = level_of(tmp_path, 40_000)
    for number in range(2, 100):
        two.put(record_of(number))
    assert path.exists() and right(one, [1]) == [1]
    one.close()
    assert remove_idle(path) and not path.exists()


def test_readers_go_on_when_others_make_room(tmp_path, looks_at_once):
    one = level_of(tmp_path, 40_000)
    for number in range(1, 30):
        one.put(record_of(number))
    two = level_of(tmp_path, 40_000)
    there = right(two, range(1, 30))
    for number in range(30, 200):
        one.put(record_of(number))
    left = right(two, there)
    assert len(left) < len(there) and two.counts().damaged == 0
    assert right(two, range(150, 200))


def test_everything_taken_by_others_is_told_once(tmp_path, caplog):
    levels = [level_of(tmp_path, 5_000) for _ in range(8)]
    for number, level in enumerate(levels, 1):
        level.put(record_of(number))
    assert taken(tmp_path) <= 5_000
    skipped = [level.counts().skipped for level in levels]
    assert 0 in skipped and 1 in skipped
    assert len(caplog.records) == sum(skipped) and "in use" in caplog.text


def test_a_forked_process_writes_segments_of_its_own(tmp_path, looks_at_once):
    level = level_of(tmp_path)
    level.put(record_of(1))
    size = segments(tmp_path)[0].stat().st_size

    def work():
        assert right(level, [1]) == [1]
        for number in range(2, 10):
            level.put(record_of(number))
        level.close()

    in_child(work)
    first, second = segments(tmp_path)
    assert first.stat().st_size == size and second.stat().st_size > size
    level.put(record_of(10))
    assert right(level, range(1, 11)) == list(range(1, 11))
    assert first.stat().st_size > size and level.counts().damaged == 0


def test_a_child_that_only_closes_leaves_nothing(tmp_path):
    level = level_of(tmp_path)
    level.put(record_of(1))
    level.touch([key_of(1)], Use(50.0))
    in_child(level.close)
    assert len(segments(tmp_path)) == 1
    level.close()
    assert level_of(tmp_path).get(key_of(1)).use.last == 50.0


def test_a_child_sees_what_its_parent_goes_on_to_write(tmp_path, looks_at_once):
    level = level_of(tmp_path)
    level.put(record_of(1))
    ready, told = os.pipe()

    def work():
        os.read(ready, 1)
        assert right(level, [1, 2]) == [1, 2]

    child = os.fork()
    if not child:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    level.put(record_of(2))
    os.write(told, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(ready), os.close(told)


def test_the_lock_of_a_parent_goes_with_the_parent(tmp_path):
    """Though a child was forked that lives on."""

    def parent(pipe):
        level = level_of(tmp_path)
        level.put(record_of(1))
        child = os.fork()
        if not child:
            time.sleep(60)
        os.write(pipe, struct.pack("q", child))
        time.sleep(60)

    with child_that(parent) as (_, pipe):
        (grandchild,) = struct.unpack("q", os.read(pipe, 8))
        path = segments(tmp_path)[0]
        with path.open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        assert remove_idle(path)
    finally:
        os.kill(grandchild, signal.SIGKILL)


def test_a_level_that_nobody_holds_lets_go_of_its_folder(tmp_path):
    level = level_of(tmp_path)
    level.put(record_of(1))
    assert inspection.stored(tmp_path).is_open
    del level
    gc.collect()
    assert not inspection.stored(tmp_path).is_open


def test_a_folder_that_is_cleared_while_one_opens_it(tmp_path):
    folder = tmp_path / "model"
    level = level_of(folder)
    level.put(record_of(1))
    assert inspection.clear(folder).in_use and folder.exists()
    level.close()
    assert not inspection.clear(folder).in_use and not folder.exists()
    level = level_of(folder)
    level.put(record_of(1))
    assert right(level, [1]) == [1]


def test_a_folder_that_is_removed_under_a_level(tmp_path, caplog):
    level = level_of(tmp_path / "model")
    level.put(record_of(1))
    for path in (tmp_path / "model").iterdir():
        path.unlink()
    (tmp_path / "model").rmdir()
    assert level.get(key_of(1)) is None
    for number in range(2, 400):
        level.put(record_of(number))
    assert level.counts().skipped > 0 and level.counts().damaged == 0
    level.close()
    assert "does not grow" in caplog.text


def test_a_lock_that_the_system_does_not_have(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(ConfigurationError, match=r"lock the folder .*: No locks available"):
        level_of(tmp_path)
