"""Records to the end of a segment of our own, one segment after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyhades.llm.cache.disk.files import alone
from pyhades.llm.cache.disk.headers import Header
from pyhades.llm.cache.disk.index import FORWARD, Segment
from pyhades.llm.cache.disk.making_room import Forward, NoRoom, NotWorthIt, make_room
from pyhades.llm.cache.disk.reading import Reader
from pyhades.llm.cache.disk.room import Room
from pyhades.llm.cache.disk.writing import SMALLEST_SEGMENT, LiveSegment
from pyhades.llm.cache.policies import Policy, Rank

PAUSE = 1.0
"""Seconds for which what was not worth its room is not weighed again."""


@dataclass
class Appender:
    """Writes records where there is room; whoever calls sees to it that nobody else does.

    Attributes
    ----------
    segment_bytes
        Of a segment, unless a record needs more.
    """

    room: Room
    reader: Reader
    shapes: bytes
    policy: Policy
    segment_bytes: int
    clock: Callable[[], float]
    _live: LiveSegment | None = None
    _segment: Segment | None = None
    _refused: tuple[float, Rank] = (0.0, ())

    def append(self, header: Header, payload: list[bytes]) -> None:
        """Add a record, in a new segment where the last one is full.

        Where there is no room or it cannot be written nothing is added, and it counts as skipped.
        """
        try:
            if self._live is None or not self._live.fits(header.length, header.payload):
                self._next_segment(header)
            self._add(header, payload)
        except NotWorthIt:
            self.reader.troubles.count("skipped")
        except (NoRoom, OSError) as error:
            self.reader.troubles.skipped(error)
        else:
            self.reader.troubles.count("written")

    def note(self, header: Header, payload: list[bytes]) -> None:
        """Add what may as well be left out: nothing goes for it."""
        try:
            if self._live is None or not self._live.fits(header.length, header.payload):
                needed = SMALLEST_SEGMENT + 2 * header.length + header.payload
                with alone(self.room.root):
                    if not self.room.survey().has_room(needed):
                        return
                    self._begin(needed)
            self._add(header, payload)
        except OSError as error:
            self.reader.troubles.skipped(error)

    def make_room(self, needed: int) -> None:
        """Remove what exceeds the room less so many bytes; whoever calls has the folder alone."""
        make_room(self.room, self.reader, self.policy, needed, None)

    def free_bytes(self) -> int:
        """What may still be written."""
        survey = self.room.survey()
        return survey.limit - survey.taken

    def close(self) -> None:
        """End the segment that was written last."""
        live, segment, self._live, self._segment = self._live, self._segment, None, None
        if live is None or segment is None:
            return
        if live.is_empty:
            live.discard()
            self.reader.index.forget(segment)
        else:
            live.seal()

    def after_fork(self) -> None:
        """In the child: what was written last goes on growing, but not by us."""
        if self._live is not None and self._segment is not None:
            self._live.let_go()
            self._segment.is_growing = True
        self._live = self._segment = None

    def _next_segment(self, header: Header) -> None:
        self.close()
        rank = self.policy(header.use)
        if time.monotonic() < self._refused[0] and rank <= self._refused[1]:
            raise NotWorthIt
        needed = SMALLEST_SEGMENT + 2 * header.length + header.payload
        size = max(self.segment_bytes, needed)
        with alone(self.room.root):
            try:
                forwards = make_room(self.room, self.reader, self.policy, size, rank)
            except NotWorthIt:
                self._refused = time.monotonic() + PAUSE, rank
                raise
            try:
                self._begin(size)
            except OSError:
                self.reader.troubles.count("evicted", len(forwards))
                raise
        self._copy(forwards, min(int(size * FORWARD), size - needed))

    def _begin(self, size: int) -> None:
        self.close()
        live = LiveSegment.create(self.room.folder, size, self.clock(), self.shapes)
        self._live, self._segment = live, Segment(live.path, live.head, live.end, is_growing=False)
        self.reader.index.add(self._segment, [])

    def _copy(self, forwards: Sequence[Forward], most_bytes: int) -> None:
        """Write records of segments that are gone, the first before others."""
        for number, (header, payload) in enumerate(forwards):
            most_bytes -= 2 * header.length + header.payload
            if most_bytes < 0:
                self.reader.troubles.count("evicted", len(forwards) - number)
                return
            self._add(header, [payload])

    def _add(self, header: Header, payload: list[bytes]) -> None:
        assert self._live is not None and self._segment is not None
        self._live.append(header, payload)
        self.reader.index.add(self._segment, [header.entry])
