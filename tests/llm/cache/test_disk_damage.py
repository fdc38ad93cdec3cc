"""Whatever becomes of the files: a record is gone, or it is right."""

import struct

import pytest

from pyhades.llm.cache.disk import DiskLevel, framing
from pyhades.llm.cache.disk.inspection import verify
from pyhades.llm.cache.records import Key, Part, Record
from tests.support.disk_records import (
    SHAPES,
    is_right,
    key_of,
    level_of,
    record_of,
    right,
    segments,
)

NUMBERS = range(1, 4)


@pytest.fixture
def sealed(tmp_path):
    """A segment with three records and an index."""
    return written(tmp_path, NUMBERS)


def written(folder, numbers, parts=(Part.BLOCK,)):
    level = level_of(folder)
    for number in numbers:
        for part in parts:
            level.put(record_of(number, part))
    level.close()
    return segments(folder)[-1]


def without_index(data: bytes) -> bytes:
    """A segment as a killed process leaves it."""
    at, *_ = framing.unpack_footer(data[-framing.FOOTER_BYTES :], len(data))
    return data[:at]


@pytest.mark.slow
@pytest.mark.parametrize("is_sealed", [True, False], ids=["sealed", "unsealed"])
def test_any_flipped_byte_takes_at_most_what_it_is_in(sealed, is_sealed):
    data = sealed.read_bytes() if is_sealed else without_index(sealed.read_bytes())
    lost = []
    for at in range(len(data)):
        mask = 1 << at % 8 if at % 3 else 0xFF
        sealed.write_bytes(data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :])
        level = level_of(sealed.parent)
        there = right(level, NUMBERS)
        damaged = level.counts().damaged
        assert damaged > 0, at
        assert len(there) >= 2 or at < framing.SEGMENT_BYTES, at
        lost.append(len(NUMBERS) - len(there))
        level.close()
    assert set(lost) == ({0, 1, 3} if is_sealed else {1, 3}), "an index can be done without"


@pytest.mark.slow
def test_a_file_of_any_length_holds_what_is_whole(sealed):
    data = sealed.read_bytes()
    before = 0
    for length in range(len(data)):
        sealed.write_bytes(data[:length])
        level = level_of(sealed.parent)
        there = right(level, NUMBERS)
        assert there == list(NUMBERS)[: len(there)] and len(there) >= before
        assert level.counts().damaged <= 1
        level.close()
        before = len(there)
    assert before == len(NUMBERS)


def test_a_torn_tail_is_cut_off_once(sealed, caplog):
    data = without_index(sealed.read_bytes())
    sealed.write_bytes(data[:-10])
    level = level_of(sealed.parent)
    assert right(level, NUMBERS) == [1, 2] and level.counts().damaged == 1
    assert len(caplog.records) == 1 and sealed.name in caplog.text
    level.put(record_of(3))
    level.close()
    again = level_of(sealed.parent)
    assert right(again, NUMBERS) == [1, 2, 3] and again.counts().damaged == 0


def test_zeros_in_the_middle_take_what_they_cover(tmp_path):
    path = written(tmp_path, range(1, 21))
    data = bytearray(without_index(path.read_bytes()))
    data[4000:6000] = bytes(2000)
    path.write_bytes(data)
    level = level_of(tmp_path)
    there = right(level, range(1, 21))
    assert there[:3] == [1, 2, 3] and there[-10:] == list(range(11, 21)) and len(there) < 20
    assert level.counts().damaged >= 1


@pytest.mark.parametrize(
    "data", [b"", b"x", bytes(10_000), b"PNG" * 999], ids=["empty", "short", "zeros", "foreign"]
)
def test_files_that_are_no_segments(tmp_path, data, caplog):
    (tmp_path / "0-0.segment").write_bytes(data)
    (tmp_path / "0-1.segment").write_bytes(data)
    level = level_of(tmp_path)
    level.put(record_of(1))
    assert right(level, [1]) == [1]
    assert level.counts().damaged == 2 and len(caplog.records) == 1


def test_a_folder_among_segments(tmp_path):
    (tmp_path / "0-0.segment").mkdir()
    level = level_of(tmp_path, 5000)
    for number in range(1, 30):
        level.put(record_of(number))
    assert right(level, range(1, 30)) and level.counts().damaged == 1


def test_another_layout_is_left_unread(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(framing, "LAYOUT", 2)
    written(tmp_path, NUMBERS)
    monkeypatch.undo()
    level = level_of(tmp_path)
    assert not right(level, NUMBERS) and level.counts().damaged == 1
    assert "layout 2" in caplog.text
    for number in NUMBERS:
        level.put(record_of(number))
    assert right(level, NUMBERS) == list(NUMBERS)


def test_other_shapes_are_left_unread(sealed, caplog):
    other = DiskLevel(sealed.parent, 1 << 20, SHAPES | {"full_attention": (2, 512)})
    assert other.counts().records == 0 and other.counts().damaged == 1
    assert "other shapes" in caplog.text


def test_what_cannot_be_read_goes_first(sealed):
    sealed.write_bytes(b"?" * 8000)
    level = level_of(sealed.parent, 10_000)
    for number in range(1, 9):
        level.put(record_of(number))
    assert not sealed.exists() and right(level, range(1, 9))


def test_a_record_at_another_place_is_none(tmp_path):
    """What a model was asked to read, or a file system has mixed up, looks like a record."""
    path = written(tmp_path, NUMBERS)
    data = without_index(path.read_bytes())
    first = framing.SEGMENT_BYTES
    size = (len(data) - first) // 3
    path.write_bytes(data[:first] + data[first + size :] + data[first : first + size])
    level = level_of(tmp_path)
    assert not right(level, NUMBERS) and level.counts().damaged > 0


def test_a_record_of_another_segment_is_none(tmp_path):
    one, two = written(tmp_path / "a", [1]), written(tmp_path / "b", [2])
    first = framing.SEGMENT_BYTES
    one.write_bytes(one.read_bytes()[:first] + without_index(two.read_bytes())[first:])
    level = level_of(tmp_path / "a")
    assert level.counts().records == 0 and level.counts().damaged == 1


def test_a_header_that_lies_about_its_length(tmp_path):
    path = written(tmp_path, NUMBERS)
    data = bytearray(without_index(path.read_bytes()))
    for length in (0, 1, 2**31, 2**32 - 1):
        struct.pack_into("<I", data, framing.SEGMENT_BYTES + 4, length)
        path.write_bytes(data)
        level = level_of(tmp_path)
        assert right(level, NUMBERS) == [2, 3]
        level.close()
        path.write_bytes(data)


def test_damage_is_found_when_it_happens_under_a_level(tmp_path, caplog):
    level = level_of(tmp_path)
    for number in NUMBERS:
        level.put(record_of(number))
    path = segments(tmp_path)[0]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert right(level, NUMBERS) == [1, 2]
    assert not level.has(key_of(3)) and level.counts().damaged == 1
    level.put(record_of(3))
    assert right(level, NUMBERS) == [1, 2, 3]
    assert len(caplog.records) == 1


def test_an_unknown_codec_is_none_of_ours(tmp_path):
    class Strange:
        name = "strange"

        def encode(self, contents):
            return contents.tobytes()

        def decode(self, data, shape):
            raise AssertionError

    level = level_of(tmp_path, codec=Strange())
    level.put(record_of(1))
    level.close()
    again = level_of(tmp_path)
    assert again.get(key_of(1)) is None and again.counts().damaged == 1
    assert "codec 'strange'" in verify(tmp_path).damaged[0]


def test_a_file_that_is_gone_is_a_miss(tmp_path):
    level = level_of(tmp_path)
    for number in NUMBERS:
        level.put(record_of(number))
    segments(tmp_path)[0].unlink()
    assert level.get(key_of(1)) is None and not level.has(key_of(2))
    assert (level.counts().misses, level.counts().damaged) == (1, 0)


def test_names_are_compared(tmp_path):
    """Were the index wrong, a record would still not pass for another."""
    level = level_of(tmp_path)
    for number in NUMBERS:
        level.put(record_of(number))
    places = level._index.places
    places[key_of(1)], places[key_of(2)] = places[key_of(2)], places[key_of(1)]
    assert right(level, NUMBERS) == [3] and level.counts().damaged == 2


def test_records_without_names_and_texts(tmp_path):
    empty = Record(Key(b"x", Part.WINDOW), b"", b"", {}, record_of(1).use)
    level = level_of(tmp_path)
    level.put(empty)
    level.close()
    assert is_right(level_of(tmp_path).get(empty.key), empty)
