"""How levels begin and end: inline, closed, dropped, forked, at the end of the process."""

import gc
import logging
import os
import subprocess
import sys
import textwrap
import threading
import weakref
from dataclasses import replace

import numpy as np
import pytest

from pyhades.llm.cache import fetch as fetching
from pyhades.llm.cache.codec import codec_of
from pyhades.llm.cache.disk.level import DiskLevel
from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.memory import MemoryLevel
from pyhades.llm.cache.policies import Use
from tests.support.shelf import SOON, Shelf, all_of, filled, key_of, record_of, until


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
