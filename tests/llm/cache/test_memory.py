"""The level in memory: within its room, by rank, whoever calls."""

import gc
import logging
import threading
import tracemalloc
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyhades.errors import ArgumentError
from pyhades.llm.cache.codec import CODECS, DamagedError, Planes, codec_of
from pyhades.llm.cache.memory import OVERHEAD, MemoryLevel
from pyhades.llm.cache.policies import POLICIES, Purpose, Use
from pyhades.llm.cache.records import Key, Part, Record

RAW = codec_of("int8")


def key_of(number: int, part: Part = Part.BLOCK) -> Key:
    return Key(number.to_bytes(32, "little"), part)


def record_of(number: int, size: int = 1000, use: Use | None = None) -> Record:
    generator = np.random.default_rng(number)
    contents = {
        "full_attention": generator.integers(0, 256, (2, 1, size // 2), dtype=np.uint8),
        "other": generator.integers(0, 256, (1, 3, 10), dtype=np.uint8),
    }
    use = use or Use(last=float(number), depth=number)
    return Record(key_of(number), key_of(number + 1).digest, bytes(64), contents, use)


def room_for(records: int, size: int = 1000) -> int:
    return records * (OVERHEAD + size + 30)


def level_of(records: int, policy="lru", **options) -> MemoryLevel:
    return MemoryLevel(room_for(records), policy, codec=RAW, **options)


def held(level: MemoryLevel, numbers=range(100)) -> list[int]:
    return [number for number in numbers if level.has(key_of(number))]


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
def test_what_was_put_comes_back(codec):
    level = MemoryLevel(1 << 20, codec=codec)
    record = record_of(3)
    level.put(record)
    found = level.get(record.key)
    assert found is not None and found is not record
    assert (found.key, found.parent, found.tokens) == (record.key, record.parent, record.tokens)
    assert found.contents.keys() == record.contents.keys()
    for kind, contents in record.contents.items():
        np.testing.assert_array_equal(found.contents[kind], contents)
    assert replace(found.use, first=0.0) == record.use and found.use is not record.use


def test_parts_of_one_name_are_two_records():
    level = level_of(4)
    level.put(record_of(1))
    level.put(replace(record_of(2), key=key_of(1, Part.WINDOW)))
    assert level.counts().records == 2 and not level.has(key_of(2))


def test_misses_and_hits_are_counted():
    level = level_of(4)
    assert level.get(key_of(1)) is None
    level.put(record_of(1))
    level.get(key_of(1))
    counts = level.counts()
    assert (counts.hits, counts.misses, counts.written, counts.records) == (1, 1, 1, 1)
    assert counts.raw_bytes == record_of(1).nbytes and counts.bytes == room_for(1)
    assert counts.name == "memory" and counts.room == room_for(4) and not level.outlives


def test_a_record_is_put_once():
    level = level_of(4)
    level.put(record_of(1))
    level.put(record_of(1))
    assert level.counts().written == level.counts().records == 1


def test_the_lowest_rank_goes_first():
    level = level_of(3)
    for number in (5, 1, 3, 4, 2):
        level.put(record_of(number))
    assert held(level) == [3, 4, 5]
    assert level.counts().evicted == 2


def test_touched_stays():
    level = level_of(3)
    for number in (1, 2, 3):
        level.put(record_of(number))
    level.touch([key_of(1), key_of(99)], Use(last=50.0))
    level.put(record_of(4))
    assert held(level) == [1, 3, 4]
    assert level.get(key_of(1)).use == Use(50.0, 2, 1, first=level.get(key_of(1)).use.first)


def test_purposes_stay_longer():
    level = level_of(2, "class")
    level.put(record_of(1, use=Use(last=100.0)))
    level.put(record_of(2, use=Use(last=90.0)))
    level.touch([key_of(2)], Use(last=90.0, purpose=Purpose.TURN))
    level.put(record_of(3, use=Use(last=110.0)))
    assert held(level) == [2, 3]


def test_ends_go_before_beginnings():
    level = level_of(3)
    for depth in (2, 1, 3):
        level.put(record_of(depth, use=Use(last=1.0, depth=depth)))
    level.put(record_of(4, use=Use(last=2.0)))
    assert held(level) == [1, 2, 4]


def test_with_policy_none_what_came_first_stays():
    times = iter(range(1, 100))
    level = level_of(3, "none", clock=lambda: float(next(times)))
    for number in (9, 8, 7, 6, 5):
        level.put(record_of(number))
    assert held(level) == [7, 8, 9] and level.counts().evicted == 2


@pytest.mark.parametrize("policy", POLICIES)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 4000), st.booleans())))
@settings(max_examples=30)
def test_never_more_than_its_room(policy, steps):
    level = MemoryLevel(room_for(3), policy, codec=RAW)
    for time, (number, size, is_touch) in enumerate(steps):
        if is_touch:
            level.touch([key_of(number)], Use(float(time)))
        else:
            level.put(record_of(number, size))
        counts = level.counts()
        assert counts.bytes <= counts.room
        assert counts.records == len(held(level)) == counts.written - counts.evicted
        assert len(level._order) <= 2 * counts.records + 65


def test_what_is_larger_than_the_room_is_skipped():
    level = level_of(1)
    level.put(record_of(1))
    level.put(record_of(2, size=100_000))
    assert held(level) == [1] and level.counts().skipped == 1


def test_room_covers_what_it_takes():
    """The overhead that is reckoned with is at least what Python takes."""
    level = MemoryLevel(1 << 24, codec=RAW)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(500):
            level.put(record_of(number, size=100))
            level.touch([key_of(number)], Use(float(number)))
            level.touch([key_of(number)], Use(float(number)))
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken <= level.counts().bytes
    assert level.counts().records == 500


def test_what_is_damaged_is_dropped_and_counted(caplog, monkeypatch):
    level = MemoryLevel(1 << 20, codec=Planes())
    level.put(record_of(1))

    def damaged(*_):
        raise DamagedError("a bit has flipped")

    monkeypatch.setattr(Planes, "decode", damaged)
    assert level.get(key_of(1)) is None and not level.has(key_of(1))
    counts = level.counts()
    assert (counts.damaged, counts.records, counts.bytes, counts.hits) == (1, 0, 0, 0)
    assert "a bit has flipped" in caplog.text


def test_many_threads():
    level = level_of(20)
    wrong = []

    def work(seed: int) -> None:
        generator = np.random.default_rng(seed)
        for number in generator.integers(0, 60, 300):
            record = record_of(int(number))
            level.put(record)
            level.touch([record.key], Use(float(generator.random())))
            found = level.get(key_of(int(generator.integers(0, 60))))
            if found is not None:
                expected = record_of(int.from_bytes(found.key.digest, "little"))
                kinds = expected.contents.keys()
                if not all(np.array_equal(found.contents[k], expected.contents[k]) for k in kinds):
                    wrong.append(found)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = level.counts()
    assert not wrong and counts.bytes <= counts.room
    assert counts.records == len(held(level)) == counts.written - counts.evicted
    assert counts.bytes == counts.records * room_for(1)


def test_closed_it_is_empty():
    level = level_of(3)
    level.put(record_of(1))
    level.close()
    assert not level.has(key_of(1)) and level.counts().bytes == level.counts().raw_bytes == 0


def test_says_which_codec_and_what_it_brings(caplog):
    with caplog.at_level(logging.INFO):
        level = MemoryLevel(1 << 20, codec=Planes())
    assert "isal" in caplog.text and "of 1.0 MB" in caplog.text
    values = np.random.default_rng(0).standard_normal(1 << 15).astype(np.float32)
    upper = values.view(np.uint16)[1::2].copy().view(np.uint8).reshape(1, 1, -1)
    level.put(replace(record_of(1), contents={"full_attention": upper}))
    assert "1 records" in repr(level) and " 1.4" in repr(level)


@pytest.mark.parametrize("room", [-1, 1.5, "1 GB"])
def test_rooms_that_are_none(room):
    with pytest.raises((ArgumentError, TypeError), match="room_bytes"):
        MemoryLevel(room, codec=RAW)


def test_policies_that_are_none():
    with pytest.raises(ArgumentError, match="policy"):
        MemoryLevel(1 << 20, "best")


def test_a_policy_may_be_a_function():
    level = level_of(2, lambda use: (-use.depth,))
    for number in (3, 1, 2):
        level.put(record_of(number))
    assert held(level) == [1, 2]


def test_ranks_are_in_order():
    """Whatever the policy, records are given up in the order of their ranks."""
    for policy in ("lru", "lfu", "class"):
        uses = [Use(float(i * 7 % 10), 1 + i % 3, i, Purpose(i % 4), first=1.0) for i in range(10)]
        level = level_of(10, policy)
        for number, use in enumerate(uses):
            level.put(record_of(number, use=use))
        gone, before = [], held(level)
        for number in range(100, 109):
            late = Use(1e9, 100, 0, Purpose.DECLARED, first=1.0)
            level.put(record_of(number, use=late))
            gone.extend(set(before) - set(held(level)))
            before = held(level)
        ranks = [POLICIES[policy](uses[number]) for number in gone]
        assert len(gone) == 9 and all(low <= high for low, high in pairwise(ranks))
