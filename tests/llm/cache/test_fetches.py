"""What is fetched from levels: in order, in turn, no more at a time than may be held."""

import logging
import threading
import weakref

from pyhades.llm.cache import fetch as fetching
from tests.support.shelf import SOON, Shelf, all_of, filled, key_of, until


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
