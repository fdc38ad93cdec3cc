"""Once through the pictures of a run: which are cut out, and what becomes of each."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pyhades.segmentation.bulk.archives import ArchiveDesk
from pyhades.segmentation.bulk.books import Books
from pyhades.segmentation.bulk.chain import no_doubt
from pyhades.segmentation.bulk.desk import Desk
from pyhades.segmentation.bulk.history import History
from pyhades.segmentation.bulk.identity import Identity
from pyhades.segmentation.bulk.manifest import Manifest
from pyhades.segmentation.bulk.picture import Picture
from pyhades.segmentation.bulk.rendering import Rendered, Rendering
from pyhades.segmentation.bulk.review import Review, doubt_about
from pyhades.segmentation.bulk.rules import Sink
from pyhades.segmentation.bulk.settings import Settings
from pyhades.segmentation.bulk.sources.naming import Taken
from pyhades.segmentation.bulk.sources.opening import Opened
from pyhades.segmentation.bulk.workforce import Workforce


def desk_of(
    manifest: Manifest, settings: Settings, identity: Identity, opened: Opened,
    place: tuple[Sink, Path | None], review: Review | None,
) -> Desk:  # fmt: skip
    """Where results of a run are settled, with what earlier runs have done.

    Raises
    ------
    ArgumentError
        They were made with other options or another model.
    """

    def look_up() -> History:
        return History.read(
            manifest.lines(), identity, ours=settings.shard.holds,
            any_identity=settings.any_identity,
        )  # fmt: skip

    history = History()
    if settings.rules.resume:
        history = look_up()
        if not (settings.takes_up or settings.any_identity):
            history.refuse_others(identity)
    who = {"made_with": identity.hash, "pid": os.getpid(), "shard": str(settings.shard)}
    books = Books(manifest, who, review, history.records if settings.follows else None)
    taken = Taken() if opened.several and not settings.follows else None
    return Desk(*place, books, history, settings.rules, taken, look_up)


@dataclass
class Passage:
    """Goes through the pictures of a run once.

    Attributes
    ----------
    opened
        Where pictures come from.
    desk
        Where results are settled.
    settings, rendering
        Of the run.
    workforce
        Its workers.
    stopped
        Set once no more pictures are to be begun.
    """

    opened: Opened
    desk: Desk
    settings: Settings
    rendering: Rendering
    workforce: Workforce
    stopped: threading.Event
    archives: ArchiveDesk = field(init=False)

    def __post_init__(self) -> None:
        self.archives = ArchiveDesk(self.desk)

    def results(self) -> Generator[tuple[Picture, Rendered | Exception]]:
        """Every picture with its cut-out, as workers are done."""
        yield from self.workforce.pool.run(
            self._pictures(), self.rendering, read=self._read,
            look=no_doubt if self.desk.books.review is None else doubt_about,
            in_order=self.opened.in_order,
        )  # fmt: skip

    def settle(self, picture: Picture, result: Rendered | Exception) -> None:
        """Put a result in its place, and note it."""
        (self.desk if picture.place is None else self.archives).settle(picture, result)

    def close(self) -> None:
        """Leave what is unfinished to a later run."""
        self.archives.close()

    def _pictures(self) -> Iterator[Picture]:
        """What is to be cut out, taken by a thread of the pool."""
        for picture in self.opened.pictures(self.archives, self.settings.shard.holds):
            if self.stopped.is_set():
                return
            if picture.place is not None or self.desk.wants(picture):
                yield picture

    def _read(self, picture: Picture) -> bytes:
        """The content of a picture's file, on the thread of a worker."""
        picture.began = time.perf_counter()
        data = picture.read()
        picture.nbytes = len(data)
        if self.settings.rules.checksum:
            picture.sha256 = hashlib.sha256(data).hexdigest()
        if self.workforce.memory is not None:
            self.workforce.memory.check(data, str(picture))
        return data
