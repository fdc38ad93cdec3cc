"""Room on disk: never exceeded, and given to what the policy ranks highest."""

from pathlib import Path

import pytest

from pyhades.llm.cache.disk.framing import SegmentHeader
from pyhades.llm.cache.disk.index import Place, Segment, worth_copying
from pyhades.llm.cache.policies import POLICIES, Purpose, Use
from tests.support.disk_records import (
    RECORD_BYTES,
    key_of,
    level_of,
    record_of,
    right,
    taken,
)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("records", [3, 20, 100])
def test_the_room_is_never_exceeded(tmp_path, policy, records):
    room = records * (RECORD_BYTES + 700)
    level = level_of(tmp_path, room, policy)
    for number in range(1, 3 * records):
        level.put(record_of(number))
        assert taken(tmp_path) <= room
    counts = level.counts()
    assert counts.bytes <= room and counts.records == len(right(level, range(1, 3 * records))) > 0
    assert counts.written + counts.skipped == 3 * records - 1
    assert counts.records == counts.written - counts.evicted


def test_a_smaller_room_is_made_when_a_folder_is_opened(tmp_path):
    level = level_of(tmp_path, 200_000)
    for number in range(1, 200):
        level.put(record_of(number))
    level.close()
    again = level_of(tmp_path, 50_000)
    assert taken(tmp_path) <= 50_000
    there = right(again, range(1, 200))
    assert there and there == list(range(there[0], 200)), "the oldest go first"


def test_other_files_take_room_and_are_left_alone(tmp_path):
    (tmp_path / "of somebody.bin").write_bytes(bytes(40_000))
    level = level_of(tmp_path, 60_000)
    for number in range(1, 100):
        level.put(record_of(number))
        assert taken(tmp_path) <= 60_000
    assert (tmp_path / "of somebody.bin").stat().st_size == 40_000
    assert level.counts().records > 5


def test_a_record_larger_than_the_room_is_skipped_and_told_once(tmp_path, caplog):
    level = level_of(tmp_path, 600)
    for number in range(1, 4):
        level.put(record_of(number))
    assert level.counts().skipped == 3 and level.counts().records == 0
    assert len(caplog.records) == 1 and "more than the room" in caplog.text


def test_what_is_used_is_copied_forward(tmp_path):
    level = level_of(tmp_path, 100_000)
    for number in range(1, 400):
        level.put(record_of(number))
        level.touch([key_of(1), key_of(2)], Use(float(number)))
    there = right(level, range(1, 400))
    assert there[:2] == [1, 2] and there[2] > 100
    assert there[2:] == list(range(there[2], 400))


def test_only_what_ranks_above_what_stays_is_copied_and_never_more_than_there_is_room():
    segment = Segment(Path("x"), SegmentHeader(0, 0.0, 0, b""), 0, False)
    places = [(key_of(n), Place(segment, 0, 100, 90, Use(float(n)))) for n in range(10)]

    def chosen(above: float, most: int) -> list[float]:
        kept = worth_copying(places, POLICIES["lru"], (above, 0), most)
        return [place.use.last for _, place in kept]

    assert chosen(6.0, 1000) == [9.0, 8.0, 7.0]
    assert chosen(0.0, 250) == [9.0, 8.0]
    assert chosen(9.0, 1000) == chosen(0.0, 99) == []


def test_policies_decide_what_goes(tmp_path):
    declared = level_of(tmp_path / "class", 100_000, "class")
    newest = level_of(tmp_path / "none", 100_000, "none")
    for level in (declared, newest):
        for number in range(1, 20):
            level.put(record_of(number))
        level.touch([key_of(number) for number in range(1, 20)], Use(20.0, 1, 0, Purpose.DECLARED))
        for number in range(20, 300):
            level.put(record_of(number))
    assert right(declared, range(1, 300))[:19] == list(range(1, 20))
    there = right(newest, range(1, 300))
    assert there == list(range(1, len(there) + 1)), "once there is no room, nothing new is kept"
    assert newest.counts().skipped == 299 - len(there)


def test_uses_outlive_the_process(tmp_path):
    level = level_of(tmp_path)
    for number in range(1, 11):
        level.put(record_of(number))
    level.touch([key_of(3)], Use(500.0, 1, 0, Purpose.OPEN))
    level.touch([key_of(3)], Use(600.0, 1, 0, Purpose.OPEN))
    level.touch([key_of(99)], Use(700.0))
    level.close()
    again = level_of(tmp_path)
    use = again.get(key_of(3)).use
    assert (use.last, use.purpose, use.count, use.depth) == (600.0, Purpose.OPEN, 3, 3)
    assert again.get(key_of(4)).use.last == 4.0
    assert again.counts().records == 10


def test_uses_push_nothing_out(tmp_path):
    level = level_of(tmp_path, 50_000)
    for number in range(1, 100):
        level.put(record_of(number))
    level.close()
    for restart in range(20):
        again = level_of(tmp_path, 50_000)
        there = right(again, range(1, 100))
        again.touch([key_of(number) for number in there], Use(1000.0 + restart))
        again.close()
        assert taken(tmp_path) <= 50_000
    last = level_of(tmp_path, 50_000)
    assert right(last, range(1, 100)) == there


def test_what_was_used_in_the_future_was_used_now(tmp_path):
    """By a clock that was wrong and has been set back: otherwise nothing new would be kept."""
    for clock, numbers in ((2e9, range(1, 200)), (1e9, range(1000, 1200))):
        level = level_of(tmp_path, 1 << 16, clock=lambda clock=clock: clock)
        for number in numbers:
            level.put(record_of(number, last=clock + number))
        kept = right(level, numbers)
        level.close()
        assert len(kept) > 20 and kept[-1] == numbers[-1]
