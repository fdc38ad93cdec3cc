"""Records from their places, or nothing where anything about them is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyhades.llm.cache.codec import Codec
from pyhades.llm.cache.disk.encoding import decoded, unframed
from pyhades.llm.cache.disk.framing import NotOurs, Shapes
from pyhades.llm.cache.disk.headers import Header
from pyhades.llm.cache.disk.index import Index, Place
from pyhades.llm.cache.disk.scanning import read_record
from pyhades.llm.cache.disk.troubles import Troubles
from pyhades.llm.cache.records import Key, Record, Stored


@dataclass
class Reader:
    """Reads records, and has those forgotten that are not what they should be."""

    index: Index
    troubles: Troubles
    codecs: Mapping[str, Codec]
    shapes: Shapes

    def record(self, key: Key, place: Place) -> Record | None:
        """A record as it was put; None where it is gone or damaged."""
        stored = self.stored(key, place)
        try:
            return None if stored is None else decoded(stored, self.codecs, self.shapes)
        except NotOurs as error:
            self._drop(key, place, error)
            return None

    def stored(self, key: Key, place: Place) -> Stored | None:
        """A record as it is kept; None where it is gone or damaged."""
        found = self.framed(key, place)
        return None if found is None else unframed(*found, place.use)

    def framed(self, key: Key, place: Place) -> tuple[Header, bytes] | None:
        """A record as it stands in its file; None where it is gone or damaged."""
        segment = place.segment
        try:
            found = read_record(segment.path, segment.head.seed, place.offset, place.length)
            if found[0].key != key:
                raise NotOurs("a record has the name of another")
        except FileNotFoundError:  # another process has made room
            self.index.forget(segment)
        except (NotOurs, OSError) as error:
            self._drop(key, place, error)
        else:
            return found
        return None

    def _drop(self, key: Key, place: Place, why: Exception) -> None:
        self.index.drop(key, place)
        self.troubles.damaged(place.segment.path, why)
