"""The segment that a process writes: nobody else's, and never with half a record in it."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

from pyhades.llm.cache.disk.files import FILE_MODE, SUFFIX, try_lock
from pyhades.llm.cache.disk.framing import (
    FOOTER_BYTES,
    SEGMENT_BYTES,
    SegmentHeader,
    pack_footer,
)
from pyhades.llm.cache.disk.headers import Header


class LiveSegment:
    """A segment that grows, locked for as long as it does.

    Attributes
    ----------
    path, head
        Of the file.
    end
        Bytes that stand in it.
    """

    def __init__(self, path: Path, descriptor: int, head: SegmentHeader) -> None:
        self.path = path
        self.head = head
        self.end = 0
        self._descriptor = descriptor
        self._index: list[bytes] = []
        self._index_bytes = FOOTER_BYTES

    @classmethod
    def create(cls, folder: Path, room: int, made: float, shapes: bytes) -> LiveSegment:
        """A new segment under a name that nobody has; OSError where it cannot be written."""
        head = SegmentHeader(room, made, secrets.randbits(32), shapes)
        while True:
            path = folder / f"{int(made * 1e6):016x}-{head.seed:08x}{SUFFIX}"
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            try:
                descriptor = os.open(path, flags, FILE_MODE)
            except FileExistsError:
                head = SegmentHeader(room, made, secrets.randbits(32), shapes)
                continue
            # Between its birth and its lock somebody may have taken it for one of the dead.
            if try_lock(descriptor) and os.fstat(descriptor).st_nlink:
                break
            path.unlink(missing_ok=True)
            os.close(descriptor)
        segment = cls(path, descriptor, head)
        try:
            segment._write([head.pack()])
        except OSError:
            segment.discard()
            raise
        return segment

    @classmethod
    def adopt(
        cls, path: Path, descriptor: int, head: SegmentHeader, headers: list[bytes], end: int
    ) -> LiveSegment:
        """One that its writer left, of which ``end`` bytes are whole, to seal it."""
        segment = cls(path, descriptor, head)
        segment.end = end
        for header in headers:
            segment._note(header)
        return segment

    def fits(self, header_bytes: int, payload: int) -> bool:
        """Whether a record, and an index that has it, stay within the room."""
        return self.end + 2 * header_bytes + payload + self._index_bytes <= self.head.room

    def append(self, header: Header, payload: list[bytes]) -> None:
        """Add a record with one write; OSError where that fails, and then nothing was added."""
        header.offset = self.end
        packed = header.pack(self.head.seed)
        self._write([packed, *payload])
        self._note(packed)

    def seal(self) -> None:
        """End it with its index, and let go of it. Without room for an index it does without."""
        try:
            self._write([pack_footer(self._index, self.end)])
        except OSError:
            pass  # whoever opens it reads it record by record
        finally:
            self.let_go()

    def discard(self) -> None:
        """Take a file away in which there is nothing yet."""
        self.path.unlink(missing_ok=True)
        self.let_go()

    def let_go(self) -> None:
        """Close the file, and with it the lock; in a forked process the parent keeps it."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    @property
    def is_empty(self) -> bool:
        """Whether no record was added."""
        return not self._index

    def _note(self, packed: bytes) -> None:
        self._index.append(packed)
        self._index_bytes += len(packed)

    def _write(self, buffers: list[bytes]) -> None:
        wanted = sum(map(len, buffers))
        try:
            written = os.pwritev(self._descriptor, buffers, self.end)
            if written < wanted:
                rest = b"".join(buffers)[written:]
                written += os.pwrite(self._descriptor, rest, self.end + written)  # says why
            if written < wanted:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            os.ftruncate(self._descriptor, self.end)
            raise OSError(error.errno, error.strerror, str(self.path)) from error
        self.end += wanted


SMALLEST_SEGMENT = SEGMENT_BYTES + FOOTER_BYTES
"""Of a segment without records."""
