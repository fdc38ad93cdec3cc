"""The disk below the other levels: what threads write through is fetched after a restart."""

import time

import pytest

from pyhades.llm.cache.codec import CODECS, Raw
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


class Counting(Raw):
    """How often something was encoded."""

    def __init__(self):
        self.times = 0

    def encode(self, contents):
        self.times += 1
        return super().encode(contents)


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "threads"])
def test_what_the_disk_has_goes_to_memory_without_being_coded_anew(tmp_path, inline):
    codec = Counting()
    memory = MemoryLevel(1 << 20, codec=codec)
    levels = Levels([memory, level_of(tmp_path, codec=codec)], inline=inline)
    for number in range(1, 41):
        levels.write_through(record_of(number))
        assert levels.copy_down(key_of(number)) and levels.would_write(key_of(41))
    assert not levels.copy_down(key_of(41))
    assert levels.flush(20) and codec.times == 40
    assert not any(map(levels.would_take, KEYS))
    for number, key in enumerate(KEYS, 1):
        assert is_right(memory.get(key), record_of(number))
    disk = next(counts for counts in levels.counts() if counts.name == "disk")
    assert disk.hits == disk.misses == 0
    levels.close()


def test_what_the_disk_has_lost_does_not_come_to_memory(tmp_path):
    levels = opened(tmp_path, inline=True)
    for number in range(1, 41):
        levels.write_through(record_of(number))
    next(tmp_path.glob("*.segment")).write_bytes(b"")
    assert levels.copy_down(key_of(1)) and levels.would_take(key_of(1))
    assert not levels.copy_down(key_of(1)), "nobody has it any more"
    levels.take_down(record_of(1))
    assert not levels.would_take(key_of(1))
    levels.close()


@pytest.mark.parametrize("is_written", [True, False])
def test_what_is_on_its_way_to_the_disk_comes_to_memory(tmp_path, is_written):
    memory, disk = MemoryLevel(1 << 20, codec=CODECS["raw"]), level_of(tmp_path)
    levels = Levels([memory, disk])
    disk._can_write = is_written
    with disk.writing:  # so that nothing is written yet
        for number in (1, 2):
            levels.write_through(record_of(number))
            assert levels.copy_down(key_of(number))
    assert levels.flush(20)
    assert [disk.has(key) for key in KEYS[:2]] == [is_written] * 2
    for number in (1, 2):
        assert is_right(memory.get(key_of(number)), record_of(number))
    levels.close()
