"""Archives of results: what of them is done, and what becomes of their members."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.books import reason_of
from pyhades.segmentation.bulk.desk import Desk
from pyhades.segmentation.bulk.history import Record
from pyhades.segmentation.bulk.picture import Outcome, Picture, Stamp, Status
from pyhades.segmentation.bulk.rendering import Rendered
from pyhades.segmentation.bulk.sinks.parts import forget_parts
from pyhades.segmentation.bulk.sinks.tar import Shelf
from pyhades.segmentation.bulk.sources.tar import Kind


@dataclass
class ArchiveDesk:
    """Settles pictures that become members of archives.

    Attributes
    ----------
    desk
        Of the run.
    """

    desk: Desk
    _shelves: dict[str, Shelf] = field(default_factory=dict)
    _done_of: Counter[str] = field(default_factory=Counter)
    _failed_of: Counter[str] = field(default_factory=Counter)

    def shelf(self, key: str, target: str, stamp: Stamp, kind: type[Kind]) -> Kind | None:
        """Where results of an archive go; None where all of it is done."""
        if self.desk.root is None:
            raise ArgumentError(
                "archives and tables of results go to a folder of this machine; pass unpack "
                "(--unpack) for files"
            )
        record = self.desk.history.archives.get(key) if self.desk.rules.resume else None
        if record is not None and self._is_done(record, target, stamp):
            forget_parts(self.desk.root / target)
            return None
        is_ours = self.desk.rules.overwrite or (record is not None and record.status != "unwritten")
        exists = self.desk.sink.exists(target)
        if exists and self.desk.rules.skip_existing and not self.desk.rules.resume:
            self.desk.counts.existing += 1
            return None
        if exists and not (is_ours or self.desk.rules.resume):
            record = self.desk.before.archives.get(key)
            if record is not None and self._is_done(record, target, stamp):
                return None
            raise self.desk.obstacle(target)

        def finished(shelf: Shelf) -> None:
            self._finished(key, target, stamp, shelf)

        how: dict[str, Any] = {
            "sync": self.desk.rules.sync, "replace": is_ours, "finished": finished,
        }  # fmt: skip
        path = self.desk.root / target
        if self.desk.rules.resume:
            shelf = kind.resumed(path, has_name=exists and not is_ours, **how)
        else:
            shelf = kind(path, **how)
        self._shelves[key] = shelf
        return shelf

    def _is_done(self, record: Record, target: str, stamp: Stamp) -> bool:
        size = self.desk.sink.size(target)
        missing = record.failed + (record.status == "failed")
        if size is None or size != record.output_bytes or record.stamp != stamp:
            return False
        if missing and self.desk.rules.retry_failed:
            return False
        self.desk.counts.skipped += record.pictures
        self.desk.counts.failed_before += missing
        return True

    def checksum(self, key: str, stamp: Stamp) -> int | None:
        """Of the result that an earlier run has made of a member; None where there is none."""
        record = self.desk.record(key)
        is_done = record is not None and record.status == "done" and record.stamp == stamp
        return record.crc32 if record is not None and is_done else None

    def is_settled(self, key: str, archive: str, stamp: Stamp) -> bool:
        """Whether a member failed before, has not changed, and is not to be tried again."""
        record = self.desk.record(key)
        failed = record is not None and record.status == "failed" and record.stamp == stamp
        failed = failed and not self.desk.rules.retry_failed
        self.desk.counts.failed_before += failed
        self._failed_of[archive] += failed
        return failed

    def reason(self, key: str) -> str:
        """Why a picture failed in an earlier run."""
        record = self.desk.record(key)
        return "" if record is None else record.reason

    def skip(self, archive: str) -> None:
        """An earlier run has done a member of an archive."""
        self._done_of[archive] += 1
        self.desk.counts.skipped += 1

    def settle(self, picture: Picture, result: Rendered | Exception) -> None:
        """Put a result in its place, and note it once it is written."""
        assert picture.place is not None
        if isinstance(result, Exception):
            self._failed_of[picture.archive] += 1
            picture.place.fill(
                None,
                lambda _: self.desk.books.fail(picture, result),
                lambda _: self.desk.books.fail(picture, result),
                reason_of(result, str(picture)),
            )
            return
        rendered = result
        picture.place.fill(
            rendered.parts,
            lambda crc32: self._done_member(picture, rendered, crc32),
            lambda error: self.desk.books.fail(picture, error, "unwritten"),
        )

    def _done_member(self, picture: Picture, rendered: Rendered, crc32: int) -> None:
        self._done_of[picture.archive] += 1
        self.desk.books.done(picture, rendered, crc32)

    def _finished(self, key: str, target: str, stamp: Stamp, shelf: Shelf) -> None:
        self._shelves.pop(key, None)
        status, reason = self._fate(target, shelf)
        line = {
            "input": key, "status": status, "reason": reason, "size": stamp.size,
            "mtime_ns": stamp.mtime_ns, "output": target,
            "output_bytes": self.desk.sink.size(target) or 0,
            "pictures": self._done_of.pop(key, 0), "failed": self._failed_of.pop(key, 0),
        }  # fmt: skip
        if status == "done":
            self.desk.books.append_quietly(line)
        else:
            self.desk.books.append(line, Outcome(key, status, reason, target))

    def _fate(self, target: str, shelf: Shelf) -> tuple[Status, str]:
        if isinstance(shelf.problem, FileExistsError):
            return "refused", str(self.desk.obstacle(target))
        if shelf.problem is not None:
            return "unwritten", reason_of(shelf.problem, target)
        return ("failed", shelf.damage) if shelf.damage else ("done", "")

    def close(self) -> None:
        """Leave archives as they are, for a later run to go on with."""
        for shelf in list(self._shelves.values()):
            shelf.suspend()
