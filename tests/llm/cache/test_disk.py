"""Records on disk: they come back, also after a restart, within their room."""

import builtins
import os
import stat
import threading
from pathlib import Path

import numpy as np
import pytest

from pyhades.errors import ArgumentError
from pyhades.llm.cache.codec import Planes
from pyhades.llm.cache.disk import DiskLevel
from pyhades.llm.cache.policies import Use
from pyhades.llm.cache.records import Key, Part, Record
from tests.support.disk_records import (
    RECORD_BYTES,
    SHAPES,
    is_right,
    key_of,
    level_of,
    record_of,
    right,
    segments,
    taken,
)


@pytest.mark.parametrize("part", Part)
def test_what_was_put_comes_back(tmp_path, part):
    level = level_of(tmp_path)
    level.put(record_of(1, part))
    assert level.has(key_of(1, part)) and not level.has(key_of(2, part))
    found = level.get(key_of(1, part))
    assert is_right(found, record_of(1, part))
    for contents in found.contents.values():
        contents[:] = 0  # whoever has a record may keep it
    assert right(level, [1], part) == [1]


def test_blocks_and_windows_of_one_name_are_two_records(tmp_path):
    level = level_of(tmp_path)
    for part in Part:
        level.put(record_of(1, part))
    assert level.counts().records == 2
    assert [right(level, [1], part) for part in Part] == [[1], [1]]


def test_another_process_finds_everything_after_a_restart(tmp_path):
    level = level_of(tmp_path)
    for number in range(1, 101):
        level.put(record_of(number))
    level.close()
    again = level_of(tmp_path)
    assert right(again, range(1, 101)) == list(range(1, 101))
    counts = again.counts()
    assert (counts.records, counts.hits, counts.damaged) == (100, 100, 0)
    assert counts.raw_bytes == 100 * RECORD_BYTES < counts.bytes < taken(tmp_path)
    use = again.get(key_of(7)).use
    assert (use.last, use.count, use.depth, use.first > 0) == (7.0, 1, 7, True)


def test_a_record_is_written_once(tmp_path):
    level = level_of(tmp_path)
    level.put(record_of(1))
    size = taken(tmp_path)
    level.put(record_of(1))
    assert (taken(tmp_path), level.counts().written) == (size, 1)


def test_codecs_are_named_in_the_file(tmp_path):
    values = np.random.default_rng(0).standard_normal(256, np.float32)
    contents = {"full_attention": values.view(np.uint16)[1::2].copy().view(np.uint8)}
    contents["full_attention"] = contents["full_attention"].reshape(2, 1, 256)
    record = Record(key_of(1), b"", b"", contents, Use(0.0))
    level = level_of(tmp_path, codec=Planes())
    level.put(record)
    level.close()
    again = level_of(tmp_path)
    again.put(record_of(2))
    assert is_right(again.get(key_of(1)), record) and right(again, [2]) == [2]


def test_only_the_owner_may_look(tmp_path):
    old = os.umask(0)
    try:
        level = level_of(tmp_path / "of" / "a model")
        level.put(record_of(1))
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "of" / "a model").stat().st_mode) == 0o700
    for path in (tmp_path / "of" / "a model").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_has_looks_at_no_disk(tmp_path, monkeypatch):
    level = level_of(tmp_path)
    level.put(record_of(1))

    def forbidden(*arguments, **options):
        raise AssertionError("the disk was looked at")

    for name in ("open", "stat", "listdir", "scandir", "pread"):
        monkeypatch.setattr(os, name, forbidden)
    monkeypatch.setattr(builtins, "open", forbidden)
    with level.writing:  # and nobody who writes is waited for
        thread = threading.Thread(target=lambda: found.extend(map(level.has, map(key_of, (1, 2)))))
        found: list[bool] = []
        thread.start()
        thread.join(10)
    monkeypatch.undo()
    assert found == [True, False]


def test_any_thread_may_call(tmp_path):
    level = level_of(tmp_path, 200_000)
    failures: list[Exception] = []

    def work(first: int) -> None:
        try:
            for number in range(first, first + 60):
                level.put(record_of(number))
                level.touch([key_of(number)], Use(float(number)))
                assert len(right(level, range(first, number))) <= number - first
                level.counts()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(1 + 1000 * each,)) for each in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and level.counts().damaged == 0
    assert level.counts().written == 180 and taken(tmp_path) <= 200_000


def test_a_closed_level_keeps_and_finds_nothing(tmp_path):
    level = level_of(tmp_path)
    level.put(record_of(1))
    level.close()
    level.close()
    level.put(record_of(2))
    assert level.get(key_of(1)) is None and not level.has(key_of(1))
    assert level.counts().skipped == 1
    assert right(level_of(tmp_path), [1, 2]) == [1]


def test_a_folder_without_records_leaves_no_segments(tmp_path):
    level_of(tmp_path).close()
    assert not segments(tmp_path)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"room_bytes": 0}, "room_bytes"),
        ({"segment_bytes": 0}, "segment_bytes"),
        ({"policy": "best"}, "policy"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_arguments_are_refused(tmp_path, wrong, what):
    with pytest.raises(ArgumentError, match=what):
        DiskLevel(tmp_path, **({"room_bytes": 1000, "shapes": SHAPES} | wrong))


def test_contents_of_other_shapes_are_refused(tmp_path):
    level = level_of(tmp_path)
    for contents in ({"full_attention": np.zeros((2, 1, 255), np.uint8)}, {"else": np.zeros(3)}):
        with pytest.raises(ArgumentError, match="shape"):
            level.put(Record(key_of(1), b"", b"", contents, Use(0.0)))
    with pytest.raises(ArgumentError, match="cannot be written"):
        contents = record_of(1).contents
        level.put(Record(Key(bytes(300), Part.BLOCK), b"", b"", contents, Use(0.0)))
    assert level.counts().records == 0


def test_relative_folders_stay_where_they_were(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    level = DiskLevel("here", 1 << 20, SHAPES)
    monkeypatch.chdir("/")
    level.put(record_of(1))
    assert right(level, [1]) == [1] and segments(tmp_path / "here")
    assert isinstance(level.folder, Path) and "here" in repr(level)
