"""Levels as one: what is written through and taken down, whatever happens."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyhades.llm.cache.codec import codec_of
from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.memory import MemoryLevel
from pyhades.llm.cache.policies import Purpose, Use
from tests.support.shelf import SOON, Shelf, all_of, filled, key_of, record_of


class TestWriting:
    def test_goes_to_what_outlives_the_process(self, opened):
        memory, disk = Shelf("memory", outlives=False), Shelf()
        levels = opened(memory, disk)
        levels.write_through(record_of(1))
        levels.take_down(record_of(2))
        assert levels.flush(SOON)
        assert disk.puts == [key_of(1)] and memory.puts == [key_of(2)]
        assert all(levels.has(key_of(number)) for number in (1, 2)) and not levels.has(key_of(3))

    def test_keeps_the_order(self, opened):
        disk = Shelf()
        levels = opened(disk)
        for number in range(200):
            levels.write_through(record_of(number))
        assert levels.flush(SOON) and disk.puts == [key_of(number) for number in range(200)]

    def test_what_is_there_is_not_written_again(self, opened):
        disk = filled([1])
        levels = opened(disk)
        assert not levels.would_write(key_of(1)) and levels.would_write(key_of(2))
        levels.write_through(record_of(1))
        assert levels.flush(SOON) and disk.puts == []

    def test_what_is_on_its_way_is_there_and_is_not_written_again(self, opened):
        disk = Shelf()
        levels = opened(disk)
        disk.open.clear()
        levels.write_through(record_of(1))
        levels.write_through(record_of(1))
        assert levels.has(key_of(1)) and not levels.would_write(key_of(1))
        fetch = levels.fetch([key_of(1)])
        assert [record.key for record in all_of(fetch)] == [key_of(1)]
        disk.open.set()
        assert levels.flush(SOON) and disk.puts == [key_of(1)]

    def test_without_such_a_level_nothing_is_kept(self, opened):
        only_disk, only_memory = opened(Shelf()), opened(Shelf("memory", outlives=False))
        only_disk.take_down(record_of(1))
        only_memory.write_through(record_of(1))
        assert not only_disk.would_take(key_of(1)) and not only_memory.would_write(key_of(1))
        assert not only_disk.has(key_of(1)) and not only_memory.has(key_of(1))

    def test_a_full_queue_skips_and_counts(self, opened):
        disk = Shelf()
        levels = opened(disk, queue_bytes=4096)
        disk.open.clear()
        for number in range(10):
            levels.write_through(record_of(number))
        assert not levels.flush(0.01)
        assert levels.counts()[0].skipped == 6 and not levels.has(key_of(9))
        disk.open.set()
        assert levels.flush(SOON) and len(disk.puts) == 4
        levels.write_through(record_of(9))
        assert levels.flush(SOON) and levels.has(key_of(9))

    def test_a_level_that_fails_is_counted_and_warned_of_once(self, opened, caplog):
        disk = Shelf()
        levels = opened(disk)
        disk.fails = True
        for number in range(5):
            levels.write_through(record_of(number))
        levels.touch([key_of(1)], Use(1.0))
        assert levels.flush(SOON) and levels.counts()[0].skipped == 5
        assert len([r for r in caplog.records if r.levelno >= logging.WARNING]) == 1
        disk.fails = False
        levels.write_through(record_of(7))
        assert levels.flush(SOON) and disk.puts == [key_of(7)]

    def test_touches_come_after_what_they_touch(self, opened):
        disk = Shelf()
        levels = opened(disk)
        use = Use(5.0, purpose=Purpose.TURN)
        levels.write_through(record_of(1))
        levels.touch([key_of(1)], use)
        use.last = 9.0
        assert levels.flush(SOON) and disk.touched == [((key_of(1),), replace(use, last=5.0))]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["write", "take", "fetch", "touch", "fail", "mend", "flush"]),
            st.integers(0, 12),
        ),
        max_size=60,
    )
)
@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize("inline", [False, True])
def test_whatever_happens_what_comes_back_is_what_was_put(inline, steps):
    memory, disk = MemoryLevel(40_000, "lru", codec_of("bf16")), Shelf()
    levels, written = Levels([memory, disk], queue_bytes=8192, inline=inline), 0
    try:
        for what, number in steps:
            if what == "write":
                written += levels.would_write(key_of(number))
                levels.write_through(record_of(number))
            elif what == "take":
                levels.take_down(record_of(number))
            elif what == "fetch":
                keys = [key_of(n) for n in range(number, 13)]
                records = all_of(levels.fetch(keys))
                assert [record.key for record in records] == keys[: len(records)]
                for record, n in zip(records, range(number, 13), strict=False):
                    expected = record_of(n).contents["full_attention"]
                    np.testing.assert_array_equal(record.contents["full_attention"], expected)
            elif what == "touch":
                levels.touch([key_of(number)], Use(float(number)))
            elif what == "flush":
                assert levels.flush(SOON)
            else:
                disk.fails = what == "fail"
        assert levels.flush(SOON)
        assert len(disk.puts) + levels.counts()[1].skipped == written
        assert memory.counts().bytes <= 40_000
    finally:
        levels.close()
