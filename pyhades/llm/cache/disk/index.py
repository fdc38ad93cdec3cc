"""Where every record lies: in memory, rebuilt from the segments when a folder is opened."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyhades.llm.cache.disk.framing import SegmentHeader
from pyhades.llm.cache.disk.headers import Entry
from pyhades.llm.cache.policies import Policy, Rank, Use
from pyhades.llm.cache.records import Key

SAMPLE = 64
"""Records of a segment that are looked at to rank it."""
FORWARD = 0.25
"""Share of a segment that may be copied forward when it goes."""


@dataclass(eq=False)
class Segment:
    """A segment and those of its records that are found.

    Attributes
    ----------
    end
        Up to where its records are known.
    is_growing
        Whether more may come: it was not sealed when it was last looked at.
    """

    path: Path
    head: SegmentHeader
    end: int
    is_growing: bool
    places: dict[Key, Place] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Place:
    """Where a record lies, and how it was used."""

    segment: Segment
    offset: int
    length: int
    raw_bytes: int
    use: Use


class Index:
    """Places of records by their names. Whoever looks one up waits for nobody."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.places: dict[Key, Place] = {}
        self.segments: dict[str, Segment] = {}
        self.raw_bytes = 0

    def after_fork(self) -> None:
        """The lock may be held by a thread that there is no more."""
        self._lock = threading.Lock()

    def add(self, segment: Segment, entries: Sequence[Entry], now: float = math.inf) -> None:
        """Note records of a segment; a name that stands elsewhere, too, is found there.

        What was used later than ``now``, by a clock that has been set back since, was used now.
        """
        places = self.places
        with self._lock:
            self.segments[segment.path.name] = segment
            for key, offset, _, length, raw_bytes, use, is_uses in entries:
                if not is_uses and key not in places:
                    use.last = min(use.last, now)
                    place = Place(segment, offset, length, raw_bytes, use)
                    places[key] = segment.places[key] = place
                    self.raw_bytes += raw_bytes
            if entries:
                segment.end = max(segment.end, entries[-1].end)

    def drop(self, key: Key, place: Place) -> None:
        """Forget a record, unless it has come anew."""
        with self._lock:
            self._drop(key, place)

    def forget(self, segment: Segment) -> int:
        """Forget a segment; how many records went with it."""
        with self._lock:
            self.segments.pop(segment.path.name, None)
            count = len(segment.places)
            for key, place in list(segment.places.items()):
                self._drop(key, place)
            return count

    @property
    def bytes(self) -> int:
        """What the segments take that are known."""
        return sum(segment.end for segment in list(self.segments.values()))

    def of(self, segment: Segment) -> list[tuple[Key, Place]]:
        """The records of a segment that are found there."""
        with self._lock:
            return list(segment.places.items())

    def _drop(self, key: Key, place: Place) -> None:
        place.segment.places.pop(key, None)
        if self.places.get(key) is place:
            del self.places[key]
            self.raw_bytes -= place.raw_bytes


@dataclass(frozen=True)
class Victim:
    """A segment that may go.

    Attributes
    ----------
    least, rank
        Of the record that is worth least, and of the best of those that are not copied forward.
    """

    segment: Segment
    least: Rank
    rank: Rank


def ranked(index: Index, segments: Iterable[Segment], policy: Policy) -> list[Victim]:
    """Segments, the one whose records are worth least first; a sample of each is looked at."""
    victims = []
    for segment in segments:
        places = index.of(segment)
        sample = sorted(policy(place.use) for _, place in places[:: len(places) // SAMPLE + 1])
        worth = sample[int((len(sample) - 1) * (1 - FORWARD))] if sample else ()
        victims.append(Victim(segment, sample[0] if sample else (), worth))
    return sorted(victims, key=lambda victim: victim.rank)


def worth_copying(
    places: Sequence[tuple[Key, Place]], policy: Policy, above: Rank, most_bytes: int
) -> list[tuple[Key, Place]]:
    """Records that rank above what is kept elsewhere, the best first, up to so many bytes."""
    order = sorted(places, key=lambda item: policy(item[1].use), reverse=True)
    chosen = []
    for key, place in order:
        if policy(place.use) <= above or most_bytes < place.length:
            break
        most_bytes -= place.length
        chosen.append((key, place))
    return chosen
