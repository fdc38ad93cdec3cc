"""Caches of many models in one folder: named, apart, and in one room."""

import json

from pyhades.llm.cache.disk import describe, inspection, open_disk_level
from pyhades.llm.cache.disk.models import about, fingerprint
from pyhades.llm.cache.policies import Use
from pyhades.llm.cache.records import Key, Part
from tests.support.disk_records import SHAPES, record_of, right, segments, taken

TOY = {"name": "toy", "weights": "1"}
OTHER = {"name": "other", "weights": "2"}


def opened(folder, facts, room=1 << 20, **options):
    return open_disk_level(folder, facts, room, SHAPES, "lru", **options)


def filled(folder, facts, numbers, room=1 << 20):
    level = opened(folder, facts, room)
    for number in numbers:
        level.put(record_of(number))
        assert taken(folder) <= room
    level.close()
    return level.folder


def test_everything_that_tells_models_apart_is_in_the_name():
    names = {
        fingerprint(TOY, SHAPES),
        fingerprint(OTHER, SHAPES),
        fingerprint(TOY | {"tier": "avx2"}, SHAPES),
        fingerprint({"weights1": ""}, SHAPES),
        fingerprint(TOY, {"full_attention": (2, 256)}),
        fingerprint(TOY, SHAPES | {"full_attention": (2, 257)}),
    }
    assert len(names) == 6
    assert fingerprint(TOY | {"name": "moved"}, SHAPES) == fingerprint(TOY, SHAPES)
    assert fingerprint(dict(reversed(TOY.items())), dict(reversed(SHAPES.items()))) in names


def test_models_do_not_see_each_other(tmp_path):
    filled(tmp_path, TOY, range(1, 11))
    other = opened(tmp_path, OTHER)
    assert other.counts().records == 0
    other.put(record_of(5))
    assert right(opened(tmp_path, TOY), range(1, 11)) == list(range(1, 11))


def test_what_a_folder_holds_is_told_beside_it(tmp_path):
    level = opened(tmp_path, TOY)
    assert about(level.folder) == TOY
    assert json.loads((level.folder / "about.json").read_text())["layout"] == 1
    describe(level.folder, OTHER)
    assert about(level.folder) == OTHER
    assert not list(level.folder.glob("*.part"))
    for text in ("", "{", "[]", '{"facts": 3}'):
        (level.folder / "about.json").write_text(text)
        assert about(level.folder) == {}


def test_the_room_is_that_of_all_models_and_others_go_first(tmp_path):
    room = 100_000
    first = filled(tmp_path, TOY, range(1, 41), room)
    second = filled(tmp_path, OTHER, range(1, 200), room)
    assert not segments(first) and len(segments(second)) > 5
    again = opened(tmp_path, TOY, room)
    again.put(record_of(1))
    assert len(segments(second)) > 3, "no more than is needed"
    assert right(again, [1]) == [1]


def test_what_another_model_is_writing_stays(tmp_path):
    other = opened(tmp_path, OTHER, 60_000)
    other.put(record_of(1))
    filled(tmp_path, TOY, range(1, 200), 60_000)
    assert right(other, [1]) == [1] and len(segments(other.folder)) == 1


def test_folders_of_others_are_neither_counted_nor_touched(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "large.bin").write_bytes(bytes(1 << 20))
    folder = filled(tmp_path / "cache", TOY, range(1, 50))
    (tmp_path / "cache" / "pictures").mkdir()
    (tmp_path / "cache" / "pictures" / "large.bin").write_bytes(bytes(1 << 21))
    level = opened(tmp_path / "cache", TOY)
    assert level.counts().records == 49
    assert inspection.model_folders(tmp_path / "cache") == [folder]


def test_stored(tmp_path):
    level = opened(tmp_path, TOY)
    for number in range(1, 4):
        level.put(record_of(number))
    level.put(record_of(3, Part.WINDOW))
    level.touch([Key(record_of(2).key.digest, Part.BLOCK)], Use(99.0))
    found = inspection.stored(level.folder)
    assert (found.records, found.tokens, found.segments, found.is_open) == (4, 48, 1, True)
    assert (found.oldest, found.newest) == (1.0, 3.0)
    level.close()
    found = inspection.stored(level.folder)
    assert (found.records, found.newest, found.is_open, found.unread) == (4, 99.0, False, 0)
    assert found.bytes == taken(level.folder) and found.facts == TOY
    (level.folder / "0-0.segment").write_bytes(b"?")
    assert inspection.stored(level.folder).unread == 1


def test_records_without_their_beginning_are_counted(tmp_path):
    level = opened(tmp_path, TOY)
    for number in (1, 2, 4, 5):
        level.put(record_of(number))
    for number in (2, 5):
        level.put(record_of(number, Part.WINDOW))
    level.close()
    found = inspection.verify(level.folder)
    assert (found.records, found.unreachable, found.damaged) == (6, 3, [])


def test_clearing_what_was_not_used(tmp_path):
    folder = filled(tmp_path, TOY, range(1, 11))
    filled(tmp_path, TOY, range(11, 21))
    assert inspection.clear(folder, 10.0).segments == 0, "one of them was used since"
    assert inspection.clear(folder, 10.5).segments == 1
    assert right(opened(tmp_path, TOY), range(1, 21)) == list(range(11, 21))


def test_clearing_leaves_what_is_not_ours(tmp_path):
    folder = filled(tmp_path, TOY, range(1, 11))
    (folder / "notes.txt").write_text("mine")
    size = sum(path.stat().st_size for path in segments(folder))
    done = inspection.clear(folder)
    assert (done.segments, done.bytes, done.in_use) == (1, size, False)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
