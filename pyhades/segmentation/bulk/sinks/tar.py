"""Results in tar archives: members in the order of the input, and a name once all are there."""

from __future__ import annotations

import io
import os
import tarfile
import threading
import zlib
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Self

from pyhades.segmentation.bulk.sinks.files import Sync, sync_folder
from pyhades.segmentation.bulk.sinks.kept import KeptMembers
from pyhades.segmentation.bulk.sinks.parts import forget_parts, part_name, parts_of, release
from pyhades.segmentation.bulk.sinks.place import Place
from pyhades.segmentation.bulk.sinks.whole import put_in_place


class Shelf:
    """One archive that is being written, by whoever has the next member.

    Parameters
    ----------
    path
        What it will be called.
    sync
        What survives a power cut.
    replace
        Whether an archive of that name is replaced.
    finished
        Called once the archive has its name, or a :attr:`problem`.
    kept
        What an earlier run has written of it; what is the same is not written again.

    Attributes
    ----------
    members
        How many it has.
    problem
        Why it cannot be written.
    damage
        What was wrong with the archive that it is made of.
    """

    def __init__(
        self,
        path: Path,
        *,
        sync: Sync,
        replace: bool,
        finished: Callable[[Shelf], None],
        kept: KeptMembers | None = None,
    ) -> None:
        self._path = path
        self._sync = sync
        self._replace = replace
        self._finished = finished
        self._kept = kept
        self._part: Path | None = None
        self._file: BinaryIO | None = None
        self._archive: tarfile.TarFile | None = None
        self._places: deque[Place] = deque()
        self.members = 0
        self._is_ended = False
        self._is_over = False
        self._lock = threading.RLock()
        self.problem: Exception | None = None
        self.damage = ""

    @classmethod
    def resumed(
        cls, path: Path, *, sync: Sync, replace: bool, has_name: bool,
        finished: Callable[[Shelf], None],
    ) -> Self:  # fmt: skip
        """Go on with what an earlier run has left.

        ``has_name``: there is an archive of that name already, and it may be this one: its run was
        killed before it could say so.
        """
        kept = KeptMembers(path) if has_name else None
        shelf = cls(path, sync=sync, replace=replace, finished=finished, kept=kept)
        if not has_name:
            shelf._take_up_part()
        forget_parts(path)
        return shelf

    def _take_up_part(self) -> None:
        """Go on with the largest part that the dead have left."""
        for part in parts_of(self._path.parent, self._path.name)[:1]:
            self._part = self._path.with_name(part_name(self._path.name))
            part.rename(self._part)  # from now on it is ours; others leave it alone
            self._kept = KeptMembers(self._part)

    def has(self, name: str, crc32: int) -> bool:
        """Whether an earlier run has written this member, and it is the next one."""
        with self._lock:
            if self._kept is None:
                return False
            if self._kept.is_next(name, crc32):
                self.members += 1
                return True
            self._stop_keeping()
            return False

    def place(self, name: str, mtime: float) -> Place:
        """The place of the next member, whose content comes later."""
        place = Place(self, name, int(mtime))
        with self._lock:
            if self._kept is not None:
                self._stop_keeping()
            self._places.append(place)
        return place

    def end(self, damage: str = "") -> None:
        """There are no more members."""
        with self._lock:
            self.damage = damage
            self._is_ended = True
        self.advance()

    def advance(self) -> None:
        """Write what can be written."""
        with self._lock:
            try:
                while self._places and self._places[0].is_ready:
                    self._write(self._places.popleft())
                if self._is_ended and not self._places and not self._is_over:
                    self._is_over = True  # both who reads and who writes may come here
                    self._finish()
            except Exception as error:
                self._give_up(error)

    def suspend(self) -> None:
        """Close it as it is, for a later run to go on with."""
        with self._lock:
            if self._kept is not None:
                self._kept.close()
            if self._file is not None:
                self._file.close()
            if self._part is not None:
                release(self._part.name)

    def _write(self, place: Place) -> None:
        assert place.kept is not None and place.failed is not None
        if self.problem is not None:
            place.failed(self.problem)
            return
        crc32 = 0
        if place.parts is not None:
            try:
                crc32 = self._add(place.name, place.mtime, b"".join(place.parts))
            except OSError as error:
                place.failed(error)
                raise
        place.kept(crc32)

    def _add(self, name: str, mtime: int, data: bytes) -> int:
        archive = self._open()
        info = tarfile.TarInfo(name)
        info.size, info.mtime = len(data), mtime
        archive.addfile(info, io.BytesIO(data))
        archive.members.clear()  # type: ignore[attr-defined]  # it would remember every one
        self.members += 1
        return zlib.crc32(data)

    def _open(self) -> tarfile.TarFile:
        if self._archive is None:
            if self._part is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._part = self._path.with_name(part_name(self._path.name))
            self._part.touch()
            self._file = self._part.open("r+b", buffering=0)
            self._file.seek(0, io.SEEK_END)
            self._archive = tarfile.open(fileobj=self._file, mode="w")  # noqa: SIM115
        return self._archive

    def _stop_keeping(self) -> None:
        """From here on members are written anew."""
        assert self._kept is not None
        end = self._kept.end
        self._kept.close()
        self._kept = None
        if self._part is None:  # the archive has its name, and is another one
            self._give_up(FileExistsError(17, "File exists", str(self._path)))
            return
        with self._part.open("r+b") as file:
            file.truncate(end)

    def _finish(self) -> None:
        if self._kept is not None:
            is_named = self._part is None
            if is_named and self._kept.is_over:
                self._kept.close()
                self._finished(self)
                return
            self._stop_keeping()
            if is_named:
                return
        self._open().close()
        assert self._file is not None and self._part is not None
        if self._sync != "none":
            os.fsync(self._file.fileno())
        self._file.close()
        self._publish()

    def _publish(self) -> None:
        """Give it its name, now that all is written."""
        assert self._part is not None
        put_in_place(self._part, self._path, replace=self._replace)
        release(self._part.name)
        if self._sync == "full":
            sync_folder(self._path.parent)
        self._finished(self)

    def _give_up(self, error: Exception) -> None:
        if self.problem is not None:
            return
        self.problem, self._is_over = error, True
        if self._file is not None:
            self._file.close()
        if self._part is not None:
            self._part.unlink(missing_ok=True)
            release(self._part.name)
        while self._places and self._places[0].is_ready:
            self._write(self._places.popleft())
        self._finished(self)
