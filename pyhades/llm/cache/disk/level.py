"""The level of a cache that outlives the process: records in the files of a folder."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

from pyhades.arguments import check_count, one_of
from pyhades.errors import ConfigurationError
from pyhades.llm.cache.clock import steady_time
from pyhades.llm.cache.codec import CODECS, Codec, encoded
from pyhades.llm.cache.disk.appending import Appender
from pyhades.llm.cache.disk.encoding import framed
from pyhades.llm.cache.disk.files import alone
from pyhades.llm.cache.disk.forking import take_care_of
from pyhades.llm.cache.disk.framing import Shapes, shapes_digest
from pyhades.llm.cache.disk.index import Index
from pyhades.llm.cache.disk.loading import Loader
from pyhades.llm.cache.disk.making_room import NoRoom
from pyhades.llm.cache.disk.opening import is_writable, make_folder, open_folder
from pyhades.llm.cache.disk.reading import Reader
from pyhades.llm.cache.disk.room import Room
from pyhades.llm.cache.disk.troubles import Troubles
from pyhades.llm.cache.disk.uses import Uses
from pyhades.llm.cache.policies import DEFAULT_POLICY, POLICIES, Policy, PolicyName, Use
from pyhades.llm.cache.records import Key, LevelCounts, Record, Stored

BYTES_OF_SEGMENT = 64 << 20
SEGMENTS = 8
"""At least, in any room: so that little goes at a time."""
LOOK_AGAIN = 1.0
"""Seconds between two looks at what other processes have written."""

log = logging.getLogger(__name__)


class DiskLevel:
    """Records in files that outlive the process, written by any number of processes.

    Every process appends to segments of its own and reads those of all. What is there is known
    from an index in memory, which is rebuilt when a folder is opened. Everything is checked before
    it is used; what is damaged is counted, told once, and left out.

    Parameters
    ----------
    folder
        For records of one model and one format; made if it does not exist.
    room_bytes
        What all files may take together, those of other processes included.
    shapes
        Per kind of layer how many layers there are, and the bytes of a block of one of them.
    policy
        What is given up first, by name or as a function.
    codec
        How contents are written, see :func:`pyhades.llm.cache.codec.codec_of`; those that others
        have written are read, too.
    segment_bytes
        Of a file; smaller ones in a small room.
    root
        The folder whose folders share the room; see
        :func:`pyhades.llm.cache.disk.models.open_disk_level`.
    clock
        Seconds since the epoch.

    Raises
    ------
    ArgumentError
        There is no room for anything, no such policy.
    ConfigurationError
        The folder cannot be made, or neither written nor read.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from pyhades.llm.cache.policies import Use
    >>> from pyhades.llm.cache.records import Key, Part, Record
    >>> key = Key(b"name", Part.BLOCK)
    >>> contents = {"full_attention": np.zeros((2, 1, 64), np.uint8)}
    >>> shapes = {"full_attention": (2, 64)}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     level = DiskLevel(folder, 1 << 20, shapes)
    ...     level.put(Record(key, b"root", b"tokens", contents, Use(0.0)))
    ...     level.close()
    ...     again = DiskLevel(folder, 1 << 20, shapes)
    ...     again.get(key).tokens
    b'tokens'
    """

    name = "disk"
    outlives = True

    def __init__(
        self,
        folder: str | os.PathLike[str],
        room_bytes: int,
        shapes: Shapes,
        policy: PolicyName | Policy = DEFAULT_POLICY,
        *,
        codec: Codec = CODECS["raw"],
        segment_bytes: int = BYTES_OF_SEGMENT,
        root: str | os.PathLike[str] | None = None,
        clock: Callable[[], float] = steady_time,
    ) -> None:
        self.folder, self.shapes = Path(folder).absolute(), dict(shapes)
        self.room_bytes = check_count("room_bytes", room_bytes)
        self._codec = codec
        segment_bytes = min(check_count("segment_bytes", segment_bytes), room_bytes // SEGMENTS)
        if not callable(policy):
            policy = POLICIES[one_of("policy", policy, PolicyName)]
        self._clock = clock
        self.writing = threading.RLock()
        self._is_closed = False
        self._looked = 0.0
        self._index = Index()
        self._uses = Uses(self._index)
        self.troubles = Troubles(self.folder)
        codecs, digest = CODECS | {codec.name: codec}, shapes_digest(shapes)
        self._reader = Reader(self._index, self.troubles, codecs, self.shapes)
        self._loader = Loader(self.folder, digest, self._index, self.troubles, clock)
        root = self.folder if root is None else Path(root).absolute()
        room = Room(root, self.folder, self.room_bytes)
        self._appender = Appender(room, self._reader, digest, policy, segment_bytes, clock)
        self._open(root)
        take_care_of(self)
        log.info("opened %r", self)

    def _open(self, root: Path) -> None:
        make_folder(root)
        self._let_go = weakref.finalize(self, os.close, open_folder(self.folder))
        self._can_write = is_writable(self.folder) and is_writable(root)
        if not self._can_write:
            self.troubles.tell("skipped", f"{self.folder} cannot be written: it is only read")
            self._loader.load()
            return
        try:
            with alone(root):
                self._loader.load()
                self._loader.mend(self._appender.free_bytes())
                self._appender.make_room(0)
        except NoRoom as error:
            self.troubles.tell("skipped", f"{self.folder}: {error}")
        except OSError as error:
            raise ConfigurationError(f"cannot use {self.folder}: {error.strerror}") from error

    def has(self, key: Key) -> bool:
        """Whether a record is there, as far as is known; nothing is waited for."""
        return key in self._index.places

    def put(self, record: Record) -> None:
        """Append a record, unless it is there; see :meth:`put_stored`."""
        if record.key not in self._index.places:
            self.put_stored(encoded(record, self._codec))

    def put_stored(self, stored: Stored) -> None:
        """Append an encoded record, unless it is there; what is worth least is given up for it.

        What cannot be written is counted as skipped, and the first time warned about.

        Raises
        ------
        ArgumentError
            Its contents have not the shapes of the level.
        """
        header, payload = framed(stored, self.shapes)
        header.use.first = header.use.first or self._clock()
        with self.writing:
            if self._is_closed or not self._can_write:
                self.troubles.count("skipped")
                return
            self._keep_up()
            if stored.key not in self._index.places:
                self._appender.append(header, payload)

    def get(self, key: Key) -> Record | None:
        """A record as it was put; None where there is none, or it is damaged."""
        if not self.has(key):
            self._keep_up_if_idle()
        place = self._index.places.get(key)
        record = None if place is None else self._reader.record(key, place)
        self.troubles.count("misses" if record is None else "hits")
        return record

    def stored(self, key: Key) -> Stored | None:
        """A record as it is kept; None where there is none, or it is damaged."""
        place = self._index.places.get(key)
        return None if place is None else self._reader.stored(key, place)

    def touch(self, keys: Sequence[Key], use: Use) -> None:
        """Records were used again, on whatever level: ``last`` and ``purpose`` are those of use.

        That outlives the process, too: it is written down from time to time.
        """
        self._uses.touch(keys, use)
        self._keep_up_if_idle()

    def counts(self) -> LevelCounts:
        """What it holds and has done; bytes of the folder as of the last look at it."""
        told = ("hits", "misses", "written", "evicted", "damaged", "skipped")
        return LevelCounts(
            self.name, len(self._index.places), self._index.bytes, self.room_bytes,
            self._index.raw_bytes, *(self.troubles[name] for name in told),
        )  # fmt: skip

    def close(self) -> None:
        """End the segment that was written, and let go of everything."""
        with self.writing:
            if not self._is_closed:
                self._tell_uses()
            self._is_closed = True
            self._appender.close()
            self._index.clear()
            self._let_go()

    def _keep_up_if_idle(self) -> None:
        """Unless somebody writes, who is not waited for."""
        if self.writing.acquire(blocking=False):
            try:
                self._keep_up()
            finally:
                self.writing.release()

    def _keep_up(self) -> None:
        """Take note of what others have written, and write down uses, but not all the time."""
        now = time.monotonic()
        if self._is_closed or now - self._looked < LOOK_AGAIN:
            return
        self._looked = now
        try:
            self._loader.refresh()
        except OSError as error:
            self.troubles.tell("look", f"{self.folder} cannot be listed: {error}")
        if self._uses.are_due:
            self._tell_uses()

    def _tell_uses(self) -> None:
        for header, payload in self._uses.records(self._clock()) if self._can_write else ():
            self._appender.note(header, payload)

    def after_fork(self) -> None:
        """In the child: the segment that was written is the parent's."""
        for part in (self._index, self.troubles, self._uses, self._appender):
            part.after_fork()

    def __repr__(self) -> str:
        return f"DiskLevel({str(self.folder)!r}: {self.counts()}; {self._codec!r})"
