"""Where a run keeps its books: what is done, what is to be done, what has just been done."""

from __future__ import annotations

import dataclasses
import hashlib
import queue
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.chain import Rendered
from pyhades.segmentation.bulk.history import History, Record
from pyhades.segmentation.bulk.manifest import Manifest
from pyhades.segmentation.bulk.picture import Outcome, Picture, Stamp, Status, since
from pyhades.segmentation.bulk.review import Review
from pyhades.segmentation.bulk.sinks.files import Sync
from pyhades.segmentation.bulk.sinks.tar import Shelf
from pyhades.segmentation.bulk.sources.naming import Taken


class Sink(Protocol):
    """Where results go."""

    def size(self, target: str) -> int | None:
        """Of a file; None where there is none."""

    def exists(self, target: str) -> bool:
        """Whether something has that name."""

    def holds(self, target: str, parts: Sequence[bytes]) -> bool:
        """Whether a file is there that has this content."""

    def write(self, target: str, parts: Sequence[bytes], *, replace: bool) -> None:
        """Write a file: all of it, or nothing."""


@dataclass(frozen=True)
class Rules:
    """How a run treats what is there already.

    Attributes
    ----------
    overwrite
        Replace results that exist.
    resume
        Leave out what the manifest says is done.
    retry_failed
        Try again what failed.
    checksum
        Tell pictures by their content, not by size and time.
    sync
        What survives a power cut.
    """

    overwrite: bool = False
    resume: bool = False
    retry_failed: bool = False
    checksum: bool = False
    sync: Sync = "file"


@dataclass
class Counts:
    """What needs no work."""

    skipped: int = 0
    failed_before: int = 0


@dataclass
class Desk:
    """Settles pictures: their results are put in place, and a line is written of each.

    Attributes
    ----------
    root
        Folder of results; None where they go elsewhere, and cannot be archives.
    stamp
        What every line says: what results are made with, and by whom.
    taken
        Where names of results may clash that nobody has seen together.
    """

    sink: Sink
    root: Path | None
    manifest: Manifest
    history: History
    rules: Rules
    stamp: dict[str, Any]
    review: Review | None = None
    taken: Taken | None = None
    remembers: bool = False
    counts: Counts = field(default_factory=Counts)
    notes: dict[str, str] = field(default_factory=dict)
    _news: queue.SimpleQueue[Outcome] = field(default_factory=queue.SimpleQueue)
    _shelves: dict[str, Shelf] = field(default_factory=dict)
    _done_of: Counter[str] = field(default_factory=Counter)
    _failed_of: Counter[str] = field(default_factory=Counter)

    # What sources ask.

    def wants(self, picture: Picture) -> bool:
        """Whether a picture is to be cut out; why not is noted."""
        if not picture.target:
            return True  # says what is wrong when it is read
        if self.taken is not None and not self.taken.take(picture.target):
            error = ArgumentError(f"another input has become {picture.target}")
            self._fail(picture, error, "refused")
            return False
        record = self._record(picture.key)
        if record is not None and self._is_settled(record, picture):
            return False
        if self.rules.overwrite or self.rules.resume or not self.sink.exists(picture.target):
            return True
        self._fail(picture, self._exists(picture.target), "refused")
        return False

    def shelf(self, key: str, target: str, stamp: Stamp) -> Shelf | None:
        """Where results of an archive go; None where all of it is done."""
        if self.root is None:
            raise ArgumentError("archives of results go to a folder of this machine")
        record = self.history.archives.get(key) if self.rules.resume else None
        size = self.sink.size(target)
        is_there = record is not None and size is not None and size == record.output_bytes
        if record is not None and is_there and record.stamp == stamp:
            missing = record.failed + (record.status == "failed")
            if not (missing and self.rules.retry_failed):
                self.counts.skipped += record.pictures
                self.counts.failed_before += missing
                return None
        is_ours = self.rules.overwrite or (record is not None and record.status != "unwritten")
        exists = self.sink.exists(target)
        if exists and not (is_ours or self.rules.resume):
            raise self._exists(target)
        path = self.root / target

        def finished(shelf: Shelf) -> None:
            self._finished(key, target, stamp, shelf)

        if self.rules.resume:
            shelf = Shelf.resumed(
                path, sync=self.rules.sync, replace=is_ours, has_name=exists and not is_ours,
                finished=finished,
            )  # fmt: skip
        else:
            shelf = Shelf(path, sync=self.rules.sync, replace=is_ours, finished=finished)
        self._shelves[key] = shelf
        return shelf

    def checksum(self, key: str, stamp: Stamp) -> int | None:
        """Of the result that an earlier run has made of a member; None where there is none."""
        record = self._record(key)
        is_done = record is not None and record.status == "done" and record.stamp == stamp
        return record.crc32 if record is not None and is_done else None

    def is_settled(self, key: str, archive: str) -> bool:
        """Whether a member failed before and is not to be tried again."""
        record = self._record(key)
        failed = record is not None and record.status == "failed" and not self.rules.retry_failed
        self.counts.failed_before += failed
        self._failed_of[archive] += failed
        return failed

    def skip(self, archive: str) -> None:
        """An earlier run has done a member of an archive."""
        self._done_of[archive] += 1
        self.counts.skipped += 1

    def _record(self, key: str) -> Record | None:
        return self.history.records.get(key) if self.rules.resume else None

    def _is_settled(self, record: Record, picture: Picture) -> bool:
        """Whether nothing is left to be done, by what the manifest says and what is there."""
        if record.status == "unwritten":
            return False
        if record.stamp != picture.stamp and not self._is_same(record, picture):
            return False
        if record.status == "failed":
            self.counts.failed_before += not self.rules.retry_failed
            return not self.rules.retry_failed
        is_there = self.sink.size(record.output) == record.output_bytes
        self.counts.skipped += is_there and record.output == picture.target
        return is_there and record.output == picture.target

    def _is_same(self, record: Record, picture: Picture) -> bool:
        if picture.stamp is None:
            return True  # of a table, which has no time for each row
        if not self.rules.checksum or not record.sha256:
            return False
        try:
            return hashlib.sha256(picture.read()).hexdigest() == record.sha256
        except OSError:
            return False

    # What becomes of pictures.

    def settle(self, picture: Picture, result: Rendered | Exception) -> None:
        """Put a result in place, and note it."""
        if picture.place is not None:
            self._settle_member(picture, result)
        elif isinstance(result, Exception):
            self._fail(picture, result)
        else:
            try:
                self._write(picture, result.parts)
            except FileExistsError as error:
                self._fail(picture, error, "refused")
            except OSError as error:
                self._fail(picture, error, "unwritten")
            else:
                self._done(picture, result, _checksum(result.parts))

    def _write(self, picture: Picture, parts: Sequence[bytes]) -> None:
        record = self._record(picture.key)
        replace = self.rules.overwrite
        if record is not None and record.status == "done" and record.output == picture.target:
            replace = True  # it is ours
        try:
            self.sink.write(picture.target, parts, replace=replace)
        except FileExistsError as error:
            # Written by a run that was killed before it could say so?
            if not (self.rules.resume and self.sink.holds(picture.target, parts)):
                raise self._exists(picture.target) from error

    def _exists(self, target: str) -> FileExistsError:
        path = target if self.root is None else self.root / target
        if isinstance(path, Path) and path.is_dir():
            return FileExistsError(f"{path} is a folder, where a file is to go")
        return FileExistsError(f"{path} exists; pass --overwrite to replace it, or --resume")

    def _settle_member(self, picture: Picture, result: Rendered | Exception) -> None:
        assert picture.place is not None
        if isinstance(result, Exception):
            self._failed_of[picture.archive] += 1
            picture.place.fill(
                None, lambda _: self._fail(picture, result), lambda _: self._fail(picture, result)
            )
            return
        rendered = result
        picture.place.fill(
            rendered.parts,
            lambda crc32: self._done_member(picture, rendered, crc32),
            lambda error: self._fail(picture, error, "unwritten"),
        )

    def _done_member(self, picture: Picture, rendered: Rendered, crc32: int) -> None:
        self._done_of[picture.archive] += 1
        self._done(picture, rendered, crc32)

    def _done(self, picture: Picture, rendered: Rendered, crc32: int) -> None:
        height, width = rendered.size
        outcome = Outcome(
            picture.key, "done", "", picture.target, round(rendered.foreground, 5), rendered.doubt,
            since(picture.began), str(picture),
        )  # fmt: skip
        result = {
            "output_bytes": sum(map(len, rendered.parts)), "crc32": crc32,
            "width": width, "height": height,
        }  # fmt: skip
        self._note(picture, outcome, result)
        if rendered.doubt and self.review is not None:
            self._show(self.review, picture, outcome, rendered.data)

    def _show(self, review: Review, picture: Picture, outcome: Outcome, result: bytes) -> None:
        """A preview is a help: one that cannot be made fails nothing."""
        try:
            review.add(picture, outcome, result)
        except Exception as error:
            self.notes.setdefault("preview", f"a preview could not be made: {error}")

    def _fail(self, picture: Picture, error: Exception, status: Status = "failed") -> None:
        reason = reason_of(error, str(picture))
        outcome = Outcome(
            picture.key, status, reason, picture.target, 0.0, "", since(picture.began), str(picture)
        )
        self._note(picture, outcome, {})

    def _note(self, picture: Picture, outcome: Outcome, result: dict[str, Any]) -> None:
        stamp = picture.stamp or Stamp(picture.nbytes)
        line = {
            "input": outcome.input, "status": outcome.status, "reason": outcome.reason,
            "size": stamp.size, "mtime_ns": stamp.mtime_ns, "sha256": picture.sha256,
            "output": outcome.output, **result, "foreground": outcome.foreground,
            "doubt": outcome.doubt, "seconds": outcome.seconds, "archive": picture.archive,
        }  # fmt: skip
        written = {name: value for name, value in line.items() if value != ""}
        if self.remembers:
            self.history.records[outcome.input] = Record.of(line)
        self._append(written, outcome)

    def _append(self, line: dict[str, Any], outcome: Outcome) -> None:
        """Write a line; a result without one is a failure, and is done again."""
        try:
            self.manifest.append({**line, "time": round(time.time(), 3), **self.stamp})
        except OSError as error:
            if outcome.status == "done":
                reason = f"the manifest cannot be written: {error.strerror or error}"
                outcome = dataclasses.replace(outcome, status="unwritten", reason=reason)
        self._news.put(outcome)

    def _finished(self, key: str, target: str, stamp: Stamp, shelf: Shelf) -> None:
        self._shelves.pop(key, None)
        status: Status = "done"
        reason = shelf.damage
        if shelf.damage:
            status = "failed"
        if shelf.problem is not None:
            is_other = isinstance(shelf.problem, FileExistsError)
            status, reason = "unwritten", reason_of(shelf.problem, target)
            if is_other:
                status, reason = "refused", str(self._exists(target))
        outcome = Outcome(key, status, reason, target)
        line = {
            "input": key, "status": status, "reason": reason, "size": stamp.size,
            "mtime_ns": stamp.mtime_ns, "output": target,
            "output_bytes": self.sink.size(target) or 0,
            "pictures": self._done_of.pop(key, 0), "failed": self._failed_of.pop(key, 0),
        }  # fmt: skip
        if status == "done":
            self._append_quietly(line)
        else:
            self._append(line, outcome)

    def _append_quietly(self, line: dict[str, Any]) -> None:
        try:
            self.manifest.append({**line, "time": round(time.time(), 3), **self.stamp})
        except OSError as error:
            self._news.put(Outcome(line["input"], "unwritten", f"the manifest: {error.strerror}"))

    def news(self) -> Iterator[Outcome]:
        """What was settled since the last call."""
        while True:
            try:
                yield self._news.get_nowait()
            except queue.Empty:
                return

    def close(self) -> None:
        """Leave archives as they are, for a later run to go on with."""
        for shelf in list(self._shelves.values()):
            shelf.suspend()


def reason_of(error: Exception, name: str) -> str:
    """Why, without the name of the picture, which is told beside it."""
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename and str(error.filename) != name else ""
        return f"{error.strerror}{where}"
    text = str(error) or type(error).__name__
    return text.removeprefix(f"{name}: ")


def _checksum(parts: Sequence[bytes]) -> int:
    crc32 = 0
    for part in parts:
        crc32 = zlib.crc32(part, crc32)
    return crc32
