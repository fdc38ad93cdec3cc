"""What is to be done, and where results are put."""

from __future__ import annotations

import functools
import hashlib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.books import Books
from pyhades.segmentation.bulk.history import History, Record
from pyhades.segmentation.bulk.picture import Picture
from pyhades.segmentation.bulk.rendering import Rendered
from pyhades.segmentation.bulk.rules import Counts, Rules, Sink
from pyhades.segmentation.bulk.sources.naming import Taken
from pyhades.segmentation.clock import Clock


@dataclass
class Desk:
    """Settles pictures that become files: says which are to be cut out, and puts results in place.

    Attributes
    ----------
    sink
        Where results go.
    root
        The same as a folder; None where it is none.
    books
        Where it is noted.
    history
        What earlier runs have done.
    rules
        How to treat what is there.
    taken
        Where names of results may clash that nobody has seen together.
    look_up
        What earlier runs have done in the same way, where this one does not go on with them.
    results
        Sizes of results by their paths, where they come to lie among pictures, and are none.
    counts
        What needs no work.
    clock
        Of results that are put in place, all by one thread.
    """

    sink: Sink
    root: Path | None
    books: Books
    history: History
    rules: Rules
    taken: Taken | None = None
    look_up: Callable[[], History] = History
    results: dict[str, int] | None = None
    counts: Counts = field(default_factory=Counts)
    clock: Clock = field(default_factory=Clock)

    def wants(self, picture: Picture) -> bool:
        """Whether a picture is to be cut out; why not is noted."""
        if not picture.target:
            return True  # says what is wrong when it is read
        if self.taken is not None and not self.taken.take(picture.target, str(picture)):
            self._clash(picture)
            return False
        record = self.record(picture.key)
        if record is not None and self._is_settled(record, picture):
            return False
        if not self.sink.exists(picture.target):
            return True
        if self._would_replace_an_input(picture):
            error = ArgumentError(f"the result would replace the input {picture.target}")
            self.books.fail(picture, error, "refused")
            return False
        if self.rules.overwrite:
            return True
        if self.rules.skip_existing and self.sink.size(picture.target) is not None:
            self.counts.existing += 1
            return False
        if self.rules.resume:
            return True
        return not self._is_there(picture)

    def _clash(self, picture: Picture) -> None:
        if self.taken is not None and self.taken.has(picture.target, str(picture)):
            self.counts.repeated += 1
            return
        error = ArgumentError(f"another input has become {picture.target}")
        self.books.fail(picture, error, "refused")

    def _is_there(self, picture: Picture) -> bool:
        """Something has the name of a result: done before by the same command, or an obstacle."""
        record = self.before.records.get(picture.key)
        is_done = record is not None and record.status == "done"
        if record is None or not (is_done and self._is_settled(record, picture)):
            self.books.fail(picture, self.obstacle(picture.target), "refused")
        return True

    def _would_replace_an_input(self, picture: Picture) -> bool:
        """Where pictures come one by one, and nobody knows those that are still to come.

        If results lie beside their pictures, only what is known as a result is replaced.
        """
        source = Path(str(picture))
        if self.taken is None or self.root is None or not source.exists():
            return False
        if _is_same(self.root / picture.target, source):
            return True
        lies_beside = _is_same(self.root / picture.key, source)
        return self.rules.overwrite and lies_beside and picture.target not in self._made

    @functools.cached_property
    def _made(self) -> set[str]:
        return {record.output for record in self.before.records.values()}

    @functools.cached_property
    def before(self) -> History:
        """What earlier runs have done with these options, looked up once it matters."""
        return self.look_up()

    def record(self, key: str) -> Record | None:
        """Of a picture, in an earlier run that this one goes on with."""
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
        if not self.rules.checksum or not record.sha256:
            return False
        try:
            return hashlib.sha256(picture.read()).hexdigest() == record.sha256
        except OSError:
            return False

    def settle(self, picture: Picture, result: Rendered | Exception) -> None:
        """Put a result in place, and note it."""
        if isinstance(result, Exception):
            self.books.fail(picture, result)
        else:
            try:
                with self.clock.stage("write"):
                    self._write(picture, result.parts)
            except FileExistsError as error:
                self.books.fail(picture, error, "refused")
            except OSError as error:
                self.books.fail(picture, error, "unwritten")
            else:
                stages = {**result.stages, **self.clock.lap()}
                self.books.done(picture, result.timed(stages), _checksum(result.parts))

    def _write(self, picture: Picture, parts: Sequence[bytes]) -> None:
        if self.results is not None and self.root is not None:
            result = self.root.resolve() / picture.target
            self.results[str(result)] = sum(map(len, parts))  # before anybody can come upon it
        record = self.record(picture.key)
        replace = self.rules.overwrite
        if record is not None and record.status == "done" and record.output == picture.target:
            replace = True  # it is ours
        try:
            self.sink.write(picture.target, parts, replace=replace)
        except FileExistsError as error:
            # Written by a run that was killed before it could say so?
            if not (self.rules.resume and self.sink.holds(picture.target, parts)):
                raise self.obstacle(picture.target) from error

    def obstacle(self, target: str) -> FileExistsError:
        """What is in the way of a result."""
        path = target if self.root is None else self.root / target
        if isinstance(path, Path) and path.is_dir():
            return FileExistsError(f"{path} is a folder, where a file is to go")
        return FileExistsError(
            f"{path} exists; pass --overwrite to replace it, or --skip-existing to keep it"
        )


def _is_same(one: Path, other: Path) -> bool:
    return one.exists() and one.samefile(other)


def _checksum(parts: Sequence[bytes]) -> int:
    crc32 = 0
    for part in parts:
        crc32 = zlib.crc32(part, crc32)
    return crc32
