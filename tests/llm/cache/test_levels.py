"""Levels as one: what is written, taken down and fetched, by threads that nothing stops."""

import gc
import logging
import os
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyhades.llm.cache import fetch as fetching
from pyhades.llm.cache.codec import codec_of
from pyhades.llm.cache.disk.level import DiskLevel
from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.memory import MemoryLevel
from pyhades.llm.cache.policies import Purpose, Use
from pyhades.llm.cache.records import Key, LevelCounts, Part, Record

SOON = 20.0
"""Seconds after which something has gone wrong."""


def key_of(number: int) -> Key:
    return Key(number.to_bytes(32, "little"), Part.BLOCK)


def record_of(number: int, size: int = 1024) -> Record:
    contents = np.full((1, 1, size), number % 251, np.uint8)
    parent = key_of(number - 1).digest if number else b"root"
    use = Use(last=float(number), depth=number)
    return Record(key_of(number), parent, bytes(64), {"full_attention": contents}, use)


class Shelf:
    """A level that keeps everything, and stops or fails when told to."""

    def __init__(self, name="disk", outlives=True):
        self.name = name
        self.outlives = outlives
        self.records: dict[Key, Record] = {}
        self.puts: list[Key] = []
        self.touched: list[tuple[tuple[Key, ...], Use]] = []
        self.threads: set[threading.Thread] = set()
        self.open = threading.Event()
        self.open.set()
        self.fails = False
        self.is_closed = False

    def _enter(self):
        self.threads.add(threading.current_thread())
        assert self.open.wait(SOON)
        if self.fails:
            raise OSError("the shelf has fallen down")

    def has(self, key):
        return key in self.records

    def put(self, record):
        self._enter()
        self.puts.append(record.key)
        self.records[record.key] = record

    def get(self, key):
        self._enter()
        return self.records.get(key)

    def touch(self, keys, use):
        self._enter()
        self.touched.append((tuple(keys), use))

    def counts(self):
        return LevelCounts(self.name, len(self.records))

    def close(self):
        self.is_closed = True


@pytest.fixture
def opened():
    """Levels that are closed at the end of the test."""
    all_of_them = []

    def open_levels(*shelves, **options):
        levels = Levels(shelves, **options)
        all_of_them.append((levels, shelves))
        return levels

    yield open_levels
    for levels, shelves in all_of_them:
        for shelf in shelves:
            if isinstance(shelf, Shelf):
                shelf.open.set()
        levels.close()


def until(condition) -> None:
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end, "nothing happens"
        time.sleep(0.001)


def all_of(fetch) -> list[Record]:
    records = []

    def is_over():
        records.extend(fetch.taken())
        return fetch.is_over

    until(is_over)
    return records


def filled(numbers, **options) -> Shelf:
    shelf = Shelf(**options)
    shelf.records = {key_of(number): record_of(number) for number in numbers}
    return shelf


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


class TestFetching:
    def test_comes_in_order_up_to_what_is_missing(self, opened):
        levels = opened(filled([3], name="memory", outlives=False), filled([1, 2, 4, 6]))
        keys = [key_of(number) for number in range(1, 8)]
        fetch = levels.fetch(keys)
        assert fetch.keys == tuple(keys)
        assert [record.key for record in all_of(fetch)] == keys[:4]
        assert fetch.taken() == []

    def test_what_was_found_below_is_not_written_anywhere(self, opened):
        memory, disk = Shelf("memory", outlives=False), filled(range(4))
        levels = opened(memory, disk)
        assert len(all_of(levels.fetch([key_of(number) for number in range(4)]))) == 4
        assert levels.flush(SOON) and memory.puts == [] and disk.puts == []

    def test_whoever_waits_is_woken(self, opened):
        levels = opened(filled(range(4)))
        woken = threading.Event()
        levels.wake = woken.set
        fetch = levels.fetch([key_of(1), key_of(9)])
        assert woken.wait(SOON)
        assert len(all_of(fetch)) == 1

    def test_a_miss_wakes_too(self, opened):
        levels = opened(Shelf())
        woken = threading.Event()
        levels.wake = woken.set
        fetch = levels.fetch([key_of(1)])
        assert woken.wait(SOON) and fetch.is_over

    def test_nothing_to_fetch(self, opened):
        assert opened(Shelf()).fetch([]).is_over
        assert all_of(opened().fetch([key_of(1)])) == []

    def test_holds_so_much_and_waits(self, opened, monkeypatch):
        monkeypatch.setattr(fetching, "HELD_BYTES", 4096)
        monkeypatch.setattr(fetching, "BATCH_BYTES", 2048)
        levels = opened(filled(range(100)))
        fetch = levels.fetch([key_of(number) for number in range(100)])
        assert levels._fetcher.worker.flush(SOON)
        until(lambda: fetch._is_waiting)
        assert len(fetch._came) == 4
        assert [record.key for record in all_of(fetch)] == list(fetch.keys)

    def test_others_are_served_meanwhile(self, opened, monkeypatch):
        monkeypatch.setattr(fetching, "BATCH_BYTES", 2048)
        disk = filled(range(300))
        levels, order = opened(disk), []
        get = disk.get
        disk.get = lambda key: (order.append(key), get(key))[1]
        disk.open.clear()
        fetches = [
            levels.fetch([key_of(first + number) for number in range(100)])
            for first in (0, 100, 200)
        ]
        disk.open.set()
        assert all(len(all_of(fetch)) == 100 for fetch in fetches)
        first_of_last = order.index(key_of(200))
        assert first_of_last == 4  # behind one batch of each other

    def test_cancelled(self, opened):
        disk = filled(range(4))
        levels = opened(disk)
        disk.open.clear()
        fetch = levels.fetch([key_of(number) for number in range(4)])
        until(lambda: disk.threads)
        fetch.cancel()
        disk.open.set()
        assert fetch.is_over and fetch.taken() == []
        assert len(all_of(levels.fetch([key_of(1)]))) == 1

    def test_dropped_without_a_word(self, opened, monkeypatch):
        monkeypatch.setattr(fetching, "BATCH_BYTES", 1024)
        disk = filled(range(1000))
        levels, number = opened(disk), []
        get = disk.get
        disk.get = lambda key: (number.append(key), get(key))[1]
        disk.open.clear()
        gone = weakref.ref(levels.fetch([key_of(number) for number in range(1000)]))
        disk.open.set()
        until(lambda: gone() is None)
        assert len(number) < 1000

    def test_a_level_that_fails_ends_it(self, opened, caplog):
        disk = filled(range(4))
        levels = opened(disk)
        disk.fails = True
        assert all_of(levels.fetch([key_of(1)])) == []
        assert all_of(levels.fetch([key_of(2)])) == []
        assert len([r for r in caplog.records if r.levelno >= logging.WARNING]) == 1
        disk.fails = False
        assert len(all_of(levels.fetch([key_of(1)]))) == 1

    def test_a_level_that_fails_is_passed_by(self, opened):
        memory, disk = filled(range(4), name="memory", outlives=False), filled(range(4))
        levels = opened(memory, disk)
        memory.fails = True
        assert len(all_of(levels.fetch([key_of(1), key_of(2)]))) == 2

    def test_by_many_at_a_time(self, opened):
        levels = opened(filled(range(50)))
        fetches = [levels.fetch([key_of(number) for number in range(50)]) for _ in range(50)]
        assert all(len(all_of(fetch)) == 50 for fetch in fetches)


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


class TestLives:
    def test_inline_does_everything_here(self, opened):
        memory, disk = Shelf("memory", outlives=False), Shelf()
        levels, woken = opened(memory, disk, inline=True), []
        levels.wake = lambda: woken.append(1)
        levels.write_through(record_of(1))
        levels.take_down(record_of(2))
        levels.touch([key_of(1)], Use(1.0))
        fetch = levels.fetch([key_of(1), key_of(2), key_of(3)])
        assert [record.key for record in fetch.taken()] == [key_of(1), key_of(2)]
        assert fetch.is_over and woken and levels.flush(0)
        assert memory.threads == disk.threads == {threading.current_thread()}

    def test_inline_holds_no_more_either(self, opened, monkeypatch):
        monkeypatch.setattr(fetching, "HELD_BYTES", 4096)
        levels = opened(filled(range(10)), inline=True)
        fetch = levels.fetch([key_of(number) for number in range(10)])
        assert len(fetch._came) <= 10
        assert [record.key for record in all_of(fetch)] == list(fetch.keys)

    def test_threads_begin_with_the_first_order(self, opened):
        before = threading.active_count()
        opened(Shelf())
        assert threading.active_count() == before

    def test_closed(self):
        disk = Shelf()
        levels = Levels([disk])
        for number in range(100):
            levels.write_through(record_of(number))
        fetch = levels.fetch([key_of(1)])
        levels.close()
        levels.close()
        assert disk.is_closed and len(disk.puts) == 100
        assert not any(thread.is_alive() for thread in disk.threads)
        assert fetch.is_over and levels.fetch([key_of(1)]).is_over and levels.flush(0)
        levels.write_through(record_of(200))
        levels.touch([key_of(1)], Use(1.0))
        assert len(disk.puts) == 100

    def test_a_level_that_hangs_does_not_hang_the_end(self, monkeypatch, caplog):
        monkeypatch.setattr("pyhades.llm.cache.levels.CLOSE_SECONDS", 0.05)
        disk = Shelf()
        levels = Levels([disk])
        disk.open.clear()
        levels.write_through(record_of(1))
        levels.write_through(record_of(2))
        until(lambda: disk.threads)
        levels.close()
        assert not disk.is_closed and "does not answer" in caplog.text
        disk.open.set()
        until(lambda: not any(thread.is_alive() for thread in disk.threads))
        assert disk.puts == [key_of(1)] and levels.counts()[0].skipped == 1

    def test_nobody_holds_it(self):
        disk = filled(range(10))
        levels = Levels([disk])
        all_of(levels.fetch([key_of(1)]))
        levels.write_through(record_of(20))
        levels.touch([key_of(1)], Use(1.0))
        gone = weakref.ref(levels)
        del levels
        gc.collect()
        assert gone() is None
        until(lambda: not any(thread.is_alive() for thread in disk.threads))
        assert len(disk.threads) == 2 and disk.puts == [key_of(20)]

    def test_a_cycle_through_wake_is_collected(self):
        class Holder:
            def wake(self):
                pass

        holder = Holder()
        holder.levels = Levels([filled(range(10))])
        holder.levels.wake = holder.wake
        all_of(holder.levels.fetch([key_of(1)]))
        gone = weakref.ref(holder)
        del holder
        gc.collect()
        assert gone() is None

    def test_forked(self, opened):
        memory = MemoryLevel(1 << 20, codec=codec_of("bf16"))
        disk = filled(range(10))
        levels = opened(memory, disk)
        levels.take_down(record_of(30))
        assert levels.flush(SOON) and levels.has(key_of(30))
        disk.open.clear()
        levels.write_through(record_of(20))
        fetch = levels.fetch([key_of(1)])
        until(lambda: len(disk.threads) == 2)
        child = os.fork()
        if not child:  # pytest must not go on here
            try:
                disk.open = threading.Event()  # of the test: its lock is that of the parent
                disk.open.set()
                assert fetch.is_over and not levels.has(key_of(20)) and not memory.counts().records
                levels.write_through(record_of(21))
                assert levels.flush(SOON) and disk.puts == [key_of(21)]
                assert len(all_of(levels.fetch([key_of(1), key_of(21)]))) == 2
                levels.close()
                os._exit(0)
            finally:
                os._exit(1)
        disk.open.set()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert len(all_of(fetch)) == 1 and levels.flush(SOON) and disk.puts == [key_of(20)]

    @pytest.mark.slow
    def test_at_the_end_of_the_interpreter_what_waits_is_written(self, tmp_path):
        script = f"""
        import time, numpy as np
        from pathlib import Path
        from pyhades.llm.cache.levels import Levels
        from pyhades.llm.cache.memory import MemoryLevel
        from pyhades.llm.cache.policies import Use
        from pyhades.llm.cache.records import Key, Part, Record

        class Slow(MemoryLevel):
            outlives = True
            def put(self, record):
                time.sleep(0.02)
                Path({str(tmp_path)!r}, record.key.digest.hex()).touch()

        levels = Levels([Slow(1 << 20)])
        contents = {{"full_attention": np.zeros((1, 1, 64), np.uint8)}}
        for number in range(20):
            key = Key(bytes([number]), Part.BLOCK)
            levels.write_through(Record(key, b"root", b"", contents, Use(0.0)))
        """
        subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=60)
        assert len(list(tmp_path.iterdir())) == 20

    def test_levels_say_what_they_chose_and_what_it_brings(self, tmp_path, caplog):
        values = np.random.default_rng(0).standard_normal(1 << 16).astype(np.float32)
        contents = {"full_attention": values.view(np.uint16)[1::2].copy().view(np.uint8)}
        contents = {kind: part.reshape(1, 1, -1) for kind, part in contents.items()}
        with caplog.at_level(logging.INFO):
            memory = MemoryLevel(1 << 20, codec=codec_of("bf16"))
            disk = DiskLevel(
                tmp_path, 1 << 20, {"full_attention": (1, 1 << 17)}, codec=codec_of("bf16")
            )
        levels = Levels([memory, disk], inline=True)
        levels.write_through(replace(record_of(1), contents=contents))
        levels.take_down(replace(record_of(1), contents=contents))
        for level in (memory, disk):
            assert "isal" in repr(level) and "times smaller" in repr(level)
        assert caplog.text.count("apart, deflated by isal") == 2
        levels.close()

    def test_says_what_it_is(self):
        levels = Levels([MemoryLevel(1 << 20, codec=codec_of("bf16"))])
        assert "MemoryLevel(0 records" in repr(levels) and "isal" in repr(levels)
        levels.close()
