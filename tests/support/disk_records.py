"""Records of a small model, all of which follow from their numbers, and what a folder takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pyhades.llm.cache.disk import DiskLevel
from pyhades.llm.cache.policies import Use
from pyhades.llm.cache.records import Key, Part, Record

SHAPES = {"full_attention": (2, 256), "sliding_attention": (1, 128)}
RECORD_BYTES = 512


def key_of(number: int, part: Part = Part.BLOCK) -> Key:
    """Of the block number so and so of a text."""
    return Key(number.to_bytes(32, "little"), part)


def record_of(number: int, part: Part = Part.BLOCK, *, last: float | None = None) -> Record:
    """The block of a text, or the window before it; the text begins with number 1."""
    dice = np.random.default_rng([number, part])
    kind, shape = ("full_attention", (2, 1, 256)), ("sliding_attention", (1, 8, 128))
    name, size = kind if part == Part.BLOCK else shape
    contents = {name: dice.integers(0, 256, size, np.uint8)}
    use = Use(float(number) if last is None else last, 1, number)
    tokens = dice.integers(0, 1000, 16, np.int32).tobytes()
    return Record(key_of(number, part), key_of(number - 1).digest, tokens, contents, use)


def level_of(folder: Path, room: int = 1 << 20, policy="lru", **options) -> DiskLevel:
    """A level for such records."""
    return DiskLevel(folder, room, SHAPES, policy, **options)


def is_right(found: Record, wanted: Record) -> bool:
    """Whether everything but the use is that of another record."""
    names = (found.key, found.parent, found.tokens) == (wanted.key, wanted.parent, wanted.tokens)
    return (
        names
        and found.contents.keys() == wanted.contents.keys()
        and all(
            found.contents[kind].shape == contents.shape
            and found.contents[kind].dtype == contents.dtype
            and np.array_equal(found.contents[kind], contents)
            for kind, contents in wanted.contents.items()
        )
    )


def right(level: DiskLevel, numbers, part: Part = Part.BLOCK) -> list[int]:
    """Numbers of records that are there; none of them may be wrong."""
    there = []
    for number in numbers:
        found = level.get(key_of(number, part))
        if found is not None:
            assert is_right(found, record_of(number, part)), number
            there.append(number)
    return there


def taken(folder: Path) -> int:
    """Bytes of all files of a folder, and of those below it."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def segments(folder: Path) -> list[Path]:
    """The files of records, the oldest first."""
    return sorted(folder.rglob("*.segment"))
