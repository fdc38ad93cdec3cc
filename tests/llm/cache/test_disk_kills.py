"""Processes that are killed while they write: nothing that was written is lost, or wrong."""

import os
import random
import signal
import struct
import time
from itertools import count

import pytest

from pyhades.llm.cache.disk import inspection
from pyhades.llm.cache.policies import Use
from tests.support.disk_records import key_of, level_of, record_of, right, taken
from tests.support.forked import child_that

KILLS = 200


def as_fast_as_it_can(folder, last):
    """Write records after that number without end, and tell the number of each put."""

    def work(pipe):
        level = level_of(folder, 120_000, segment_bytes=6_000)
        for number in count(last + 1):
            level.put(record_of(number))
            level.touch([key_of(number)], Use(float(number)))
            os.write(pipe, struct.pack("q", number))

    return work


def last_told(pipe, data=b"") -> int:
    """The last number that stands in a pipe whose writer is gone, after what was read of it."""
    while part := os.read(pipe, 1 << 16):
        data += part
    whole = len(data) // 8 * 8
    return struct.unpack_from("q", data, whole - 8)[0]


@pytest.mark.slow
def test_kills_at_any_point_leave_what_was_written(tmp_path):
    dice = random.Random(0)
    last = 0
    for kill in range(KILLS):
        with child_that(as_fast_as_it_can(tmp_path, last)) as (child, pipe):
            told = b"".join(os.read(pipe, 8) for _ in range(dice.randrange(1, 12)))
            time.sleep(dice.random() * 0.001)  # about the time of a record
            os.kill(child, signal.SIGKILL)
            last = last_told(pipe, told)
        assert taken(tmp_path) <= 120_000
        found = inspection.verify(tmp_path)
        assert not found.damaged, kill
        level = level_of(tmp_path, 120_000, segment_bytes=6_000)
        there = right(level, range(max(last - 120, 1), last + 3))
        assert there == list(range(there[0], max(last, there[-1]) + 1)), kill
        assert len(there) >= min(last, 50) and level.counts().damaged <= 1
        level.close()
        assert not inspection.verify(tmp_path).torn, "torn bytes are cut off"
        last = there[-1]
    assert last > 2 * KILLS
