"""Segments of a folder into the index: once when it is opened, later what others have written."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pyhades.llm.cache.clock import steady_time
from pyhades.llm.cache.disk.files import idle_file, is_live, segment_paths
from pyhades.llm.cache.disk.framing import SEGMENT_BYTES, NotOurs, Torn
from pyhades.llm.cache.disk.headers import Entry
from pyhades.llm.cache.disk.index import Index, Segment
from pyhades.llm.cache.disk.scanning import Contents, contents_of, read_record, scan
from pyhades.llm.cache.disk.troubles import Troubles
from pyhades.llm.cache.disk.uses import apply_uses
from pyhades.llm.cache.disk.writing import LiveSegment


@dataclass
class Loader:
    """Reads the segments of a folder.

    Attributes
    ----------
    shapes
        Digest of those that records must have; None for any.
    clock
        Seconds since the epoch: nothing was used later than now.
    unread
        Names of files that are not for us.
    unsealed
        Segments whose writer has gone without an end.
    """

    folder: Path
    shapes: bytes | None
    index: Index
    troubles: Troubles
    clock: Callable[[], float] = steady_time
    unread: set[str] = field(default_factory=set)
    unsealed: list[Path] = field(default_factory=list)
    _told: list[tuple[Segment, Entry]] = field(default_factory=list)

    def load(self) -> None:
        """Take note of everything that is there.

        A collector of cycles would look through all of it again and again as it grows, and take
        longer than all else; nothing here is part of a cycle.
        """
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            self.refresh()
        finally:
            if was_enabled:
                gc.enable()

    def refresh(self) -> None:
        """Take note of what others have written or removed since."""
        paths = {path.name: path for path in segment_paths(self.folder)}
        for name, segment in list(self.index.segments.items()):
            if name not in paths:
                self.index.forget(segment)
            elif segment.is_growing:
                self._carefully(segment.path, self._grow)
        for name, path in paths.items():
            if name not in self.index.segments and name not in self.unread:
                self._carefully(path, self._load)
        self._hear()

    def mend(self, free: int) -> None:
        """Give segments whose writers are gone an end, as far as there is room for that."""
        unsealed, self.unsealed = self.unsealed, []
        for path in unsealed:
            self._carefully(path, lambda path: _mend(path, free))

    def _carefully(self, path: Path, read: Callable[[Path], None]) -> None:
        try:
            read(path)
        except FileNotFoundError:
            pass
        except (NotOurs, OSError) as error:
            if isinstance(error, Torn):
                self.unsealed.append(path)
            self.unread.add(path.name)
            self.troubles.damaged(path, error)

    def _load(self, path: Path) -> None:
        with path.open("rb", buffering=0) as file:
            is_growing = is_live(file.fileno())
            if is_growing and os.fstat(file.fileno()).st_size < SEGMENT_BYTES:
                return  # it has just been made
            contents = contents_of(file.fileno())
        if self.shapes is not None and contents.head.shapes != self.shapes:
            raise NotOurs("it holds records of other shapes")
        self._add(Segment(path, contents.head, contents.end, is_growing), contents.entries)
        if contents.damaged:
            self.troubles.damaged(path, "records, or its index, are damaged", contents.damaged)
        if is_growing or contents.is_sealed:
            return
        self.unsealed.append(path)
        if contents.torn:
            self.troubles.damaged(path, "its last record was not written whole")

    def _grow(self, path: Path) -> None:
        segment = self.index.segments[path.name]
        with path.open("rb", buffering=0) as file:
            segment.is_growing = is_live(file.fileno())
            contents = Contents(segment.head, end=segment.end)
            scan(file.fileno(), contents)
        self._add(segment, contents.entries)

    def _add(self, segment: Segment, entries: list[Entry]) -> None:
        self.index.add(segment, entries, self.clock())
        self._told += [(segment, entry) for entry in entries if entry.is_uses]

    def _hear(self) -> None:
        """Take over how records were used, now that all of them are known."""
        for segment, entry in self._told:
            seed = segment.head.seed
            try:
                _, payload = read_record(segment.path, seed, entry.offset, entry.length)
                apply_uses(self.index, payload, self.clock())
            except FileNotFoundError:
                pass
            except (NotOurs, OSError) as error:
                self.troubles.damaged(segment.path, error)
        self._told.clear()


def _mend(path: Path, free: int) -> None:
    """Cut off torn bytes and add an index, so that it need not be looked through again.

    A file without records goes.
    """
    with idle_file(path, os.O_RDWR) as descriptor:
        if descriptor is None:
            return
        contents = _contents_if_any(descriptor)
        if contents is None:
            path.unlink()
            return
        if contents.is_sealed or contents.index_bytes > free:
            return
        os.ftruncate(descriptor, contents.end)
        places = [(entry.header_bytes, entry.offset) for entry in contents.entries]
        headers = [os.pread(descriptor, length, offset) for length, offset in places]
        LiveSegment.adopt(path, os.dup(descriptor), contents.head, headers, contents.end).seal()


def _contents_if_any(descriptor: int) -> Contents | None:
    try:
        contents = contents_of(descriptor)
    except Torn:
        return None
    return contents if contents.entries else None
