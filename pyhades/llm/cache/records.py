"""What goes from one level to another: the contents of a block or a window, with its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pyhades.llm.cache.addresses import Digest
from pyhades.llm.cache.policies import Use
from pyhades.llm.text.level_counts import LevelCounts

__all__ = ["Encoded", "Key", "Level", "LevelCounts", "Part", "Record", "Stored"]


class Part(IntEnum):
    """What of a text is kept under its name."""

    BLOCK = 0
    """16 tokens of the layers that see everything."""
    WINDOW = 1
    """The last window before a place, of the layers that have one: a checkpoint."""


class Key(NamedTuple):
    """The name of a record. Equal names are equal contents, whoever wrote them."""

    digest: Digest
    part: Part


@dataclass(frozen=True)
class Record:
    """Contents with their name.

    Attributes
    ----------
    parent
        Name of the block before it, the root for the first.
    tokens
        Of the block that it is named by, as int32: compared whenever it is found.
    contents
        Per kind of layer uint8 ``[layers, blocks, bytes]``: one block, or those of a window. They
        are copies: whoever has a record may keep it.
    use
        How it was used so far.
    """

    key: Key
    parent: Digest
    tokens: bytes
    contents: Mapping[str, NDArray[np.uint8]]
    use: Use

    @property
    def nbytes(self) -> int:
        """Of the contents."""
        return sum(part.nbytes for part in self.contents.values())


class Encoded(NamedTuple):
    """Contents of one kind of layer: their shape, and what a codec has made of them."""

    shape: tuple[int, ...]
    data: bytes


@dataclass(frozen=True)
class Stored:
    """A record as a level keeps it: encoded.

    Attributes
    ----------
    codec
        What has encoded the contents.
    parts
        Per kind of layer.
    raw_bytes
        Of the contents.
    """

    key: Key
    parent: Digest
    tokens: bytes
    codec: str
    parts: Mapping[str, Encoded]
    raw_bytes: int
    use: Use


class Level(Protocol):
    """A place below the pool where records are kept. Any thread may call it."""

    name: str
    outlives: bool
    """Whether records are still there when another process asks."""

    def has(self, key: Key) -> bool:
        """Whether a record is there, as far as is known without looking at a disk."""

    def put(self, record: Record) -> None:
        """Keep a record; what is worth least is given up for it. Does nothing if it is there.

        Never raises for want of room or a broken disk: it counts what was skipped, and warns once.
        """

    def get(self, key: Key) -> Record | None:
        """A record as it was put; None where there is none (any more), or it is damaged."""

    def stored(self, key: Key) -> Stored | None:
        """A record as it is kept, for another level; None where there is none, or it is damaged."""

    def put_stored(self, stored: Stored) -> None:
        """Keep a record as another level has it. Does nothing where it is there already."""

    def touch(self, keys: Sequence[Key], use: Use) -> None:
        """Records were used again, on whatever level: ``last`` and ``purpose`` are those of use."""

    def counts(self) -> LevelCounts:
        """What it holds and has done."""

    def close(self) -> None:
        """Write what is left, and let go of files and memory."""
