"""The disk below the other levels: what threads write through is fetched after a restart."""

import time

import pytest

from pyhades.llm.cache.codec import CODECS
from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.memory import MemoryLevel
from pyhades.llm.cache.policies import Use
from tests.support.disk_records import is_right, key_of, level_of, record_of

KEYS = [key_of(number) for number in range(1, 41)]


def opened(folder, *, inline):
    memory = MemoryLevel(1 << 20, codec=CODECS["raw"])
    return Levels([memory, level_of(folder)], inline=inline)


def fetched(levels, keys):
    fetch, found = levels.fetch(keys), []
    end = time.monotonic() + 20
    while not fetch.is_over and time.monotonic() < end:
        found += fetch.taken()
        time.sleep(0.001)
    return found + fetch.taken()


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "threads"])
def test_what_was_written_through_comes_back_after_a_restart(tmp_path, inline):
    levels = opened(tmp_path, inline=inline)
    for number in range(1, 41):
        levels.write_through(record_of(number))
    levels.touch(KEYS[:3], Use(1000.0))
    assert levels.flush(20)
    levels.close()
    again = opened(tmp_path, inline=inline)
    assert all(map(again.has, KEYS)) and not again.has(key_of(41))
    found = fetched(again, KEYS)
    assert len(found) == 40
    assert all(is_right(record, record_of(number)) for number, record in enumerate(found, 1))
    assert found[0].use.last == 1000.0 and found[0].use.count == 2
    disk = next(counts for counts in again.counts() if counts.name == "disk")
    assert (disk.hits, disk.records, disk.damaged, disk.skipped) == (40, 40, 0, 0)
    again.close()


def test_a_damaged_record_ends_what_is_fetched(tmp_path):
    levels = opened(tmp_path, inline=True)
    for number in range(1, 41):
        levels.write_through(record_of(number))
    levels.close()
    path = next(tmp_path.glob("*.segment"))
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    again = opened(tmp_path, inline=True)
    found = fetched(again, KEYS)
    assert 5 < len(found) < 35
    assert all(is_right(record, record_of(number)) for number, record in enumerate(found, 1))
    again.close()
