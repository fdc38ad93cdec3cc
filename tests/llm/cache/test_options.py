"""What callers say about the cache is checked at once, and says what to do."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

import pyhades
from pyhades.errors import ArgumentError, ArgumentTypeError, ConfigurationError
from pyhades.llm.cache.options import MOST_DISK, CacheOptions


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"cache_bytes": 1 << 30}, ArgumentError, "cache_dir"),
        ({"cache_dir": "kept", "cache_bytes": 1000}, ArgumentError, "cache_bytes=1000"),
        ({"cache_dir": "kept", "cache_bytes": "1GB"}, ArgumentTypeError, "cache_bytes"),
        ({"cache_dir": "kept", "cache_bytes": True}, ArgumentTypeError, "cache_bytes"),
        ({"cache_dir": "kept", "prefix_cache": False}, ArgumentError, "prefix_cache=False"),
        ({"cache_memory": 1 << 20, "prefix_cache": False}, ArgumentError, "cache_memory"),
        ({"cache_dir": ""}, ArgumentError, "cache_dir is empty"),
        ({"cache_dir": 7}, ArgumentTypeError, "cache_dir=7"),
        ({"cache_dir": b"kept"}, ArgumentTypeError, "cache_dir"),
        ({"cache_memory": -1}, ArgumentError, "cache_memory=-1"),
        ({"cache_memory": None}, ArgumentTypeError, "cache_memory"),
        ({"cache_policy": "fifo"}, ArgumentError, "cache_policy"),
        ({"kv_memory": 0}, ArgumentError, "kv_memory=0"),
        ({"kv_format": "fp8"}, ArgumentError, "kv_format"),
        ({"prefix_cache": None}, ArgumentTypeError, "prefix_cache"),
    ],
)
def test_what_means_nothing_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        CacheOptions(**options)
    with pytest.raises(error, match=message):
        pyhades.LLM(**options)


@pytest.mark.parametrize("speculation", [1, "yes", 0.5])
def test_speculation_is_wanted_or_not(speculation):
    with pytest.raises(ArgumentTypeError, match="speculation"):
        pyhades.LLM(speculation=speculation)


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(("free", "room"), [(1 << 40, MOST_DISK), (4 << 30, 1 << 30), (0, 1 << 20)])
def test_the_room_on_a_disk_is_no_more_than_there_is(monkeypatch, tmp_path, free, room):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(2 * free, free, free))
    assert CacheOptions(cache_dir=tmp_path / "deep" / "kept").room_on_disk == room
    assert CacheOptions(cache_dir=tmp_path, cache_bytes=1 << 21).room_on_disk == 1 << 21


def test_what_is_kept_already_does_not_make_the_room_smaller(monkeypatch, tmp_path):
    (tmp_path / "records").write_bytes(bytes(3 << 20))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1 << 30, 0, 5 << 20))
    assert CacheOptions(cache_dir=tmp_path).room_on_disk == 2 << 20


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="file"):
        pyhades.LLM(cache_dir=tmp_path / "file")


def test_a_path_begins_at_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert CacheOptions(cache_dir="~/kept").folder == tmp_path / "kept"
    assert CacheOptions(cache_dir=Path("kept")).folder.is_absolute()
