"""A run through many pictures that may end at any moment and goes on where it was."""

from __future__ import annotations

import hashlib
import itertools
import os
import secrets
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pyhades
from pyhades.arguments import check_count, check_flag, one_of
from pyhades.errors import ArgumentTypeError, ImageError
from pyhades.segmentation.bulk.archives import ArchiveDesk
from pyhades.segmentation.bulk.beginning import listed, manifest_path, rendering_of, sink_of
from pyhades.segmentation.bulk.books import Books
from pyhades.segmentation.bulk.calibration import Calibration, calibrate
from pyhades.segmentation.bulk.chain import Rendered, no_doubt
from pyhades.segmentation.bulk.desk import Desk
from pyhades.segmentation.bulk.history import History
from pyhades.segmentation.bulk.identity import Identity
from pyhades.segmentation.bulk.manifest import Manifest
from pyhades.segmentation.bulk.memory import MemoryLimit, parse_size
from pyhades.segmentation.bulk.picture import Outcome, Picture
from pyhades.segmentation.bulk.report import BulkReport
from pyhades.segmentation.bulk.review import Review, doubt_about
from pyhades.segmentation.bulk.rules import Rules
from pyhades.segmentation.bulk.session_pool import SessionPool
from pyhades.segmentation.bulk.shards import Shard
from pyhades.segmentation.bulk.sinks.files import Sync
from pyhades.segmentation.bulk.sources.naming import Taken
from pyhades.segmentation.bulk.sources.opening import InputLike, check, open_inputs
from pyhades.segmentation.clock import StageReport
from pyhades.segmentation.compose import BackgroundLike
from pyhades.segmentation.cutout import Output
from pyhades.segmentation.image.png import Compression
from pyhades.segmentation.image.reading import ImageLike, load_image
from pyhades.segmentation.remover import Remover

SAMPLES = 8
"""Pictures of a run that its calibration looks at."""


class BulkRun:
    """Removes the background of many pictures, and keeps a record of it.

    A line is added to a manifest next to the results for every picture, after its result was put in
    place. Killed at any moment, a run leaves no half files, and ``resume=True`` goes on with what
    is missing.

    Parameters
    ----------
    inputs
        Folders (their tree is kept), files, tar archives, Parquet files, URLs that fsspec knows, or
        lists (:class:`~pyhades.segmentation.bulk.sources.lists.Listed`); one or several.
    destination
        A folder, or a URL.
    remover
        The model. Whoever made it closes it.
    output, background, png
        See :meth:`pyhades.segmentation.Cutout.encode`.
    suffix
        Of results, such as ``".webp"``.
    recursive
        Whether folders in folders count.
    overwrite
        Replace results that exist; else they are failures.
    resume
        Leave out what is done: what the manifest says so of, and whose result is there.
    retry_failed
        With ``resume``: try again what failed.
    resume_anyway
        Resume although what is done was made with other options or another model.
    shard
        ``"2/8"``: do the second of eight parts, which are told apart by the names of pictures.
    unpack
        Write pictures of tar archives to files, not to archives.
    column
        Of Parquet files, that holds pictures.
    manifest
        Its file; by default one in the destination.
    sync
        What is on the disk before a picture counts as done: ``"file"``, its result; ``"full"``, its
        name and the line in the manifest as well; ``"none"`` leaves all to the kernel. A kill does
        no harm with any of them, a power cut may cost results with ``"none"``.
    checksum
        Write the SHA-256 of pictures into the manifest, and tell by it whether one has changed.
    review
        Folder for previews of doubtful results.
    watch
        Follow folders: seconds between two looks. Ends with :meth:`stop`.
    workers, threads_per_worker, decoders, encoders
        See :class:`~pyhades.segmentation.bulk.session_pool.SessionPool`.
    max_memory
        Of this process, in bytes or as ``"2G"``. Pictures that it does not hold are failures.
    take_up
        Go on with what a process that died has begun, whatever lay there before.

    Attributes
    ----------
    total
        Pictures that there are; None where nobody knows.
    report
        What has come of it so far.

    Raises
    ------
    ArgumentError
        An input does not exist or has no pictures, two pictures want the same result, or a result
        would replace an input.

    Examples
    --------
    >>> import tempfile
    >>> from pyhades.segmentation.plausibility import SAMPLES
    >>> with tempfile.TemporaryDirectory() as folder, pyhades.Remover() as remover:
    ...     run = BulkRun(SAMPLES, folder, remover=remover, workers=1)
    ...     run.run().done
    3
    """

    def __init__(
        self,
        inputs: InputLike | Sequence[InputLike],
        destination: str | os.PathLike[str],
        *,
        remover: Remover,
        output: Output = "rgba",
        background: BackgroundLike | None = None,
        suffix: str = ".png",
        png: Compression = "fast",
        recursive: bool = True,
        overwrite: bool = False,
        resume: bool = False,
        retry_failed: bool = False,
        resume_anyway: bool = False,
        shard: str = "1/1",
        unpack: bool = False,
        column: str | None = None,
        manifest: str | os.PathLike[str] | None = None,
        sync: Sync = "file",
        checksum: bool = False,
        review: str | os.PathLike[str] | None = None,
        watch: float | None = None,
        workers: int | None = None,
        threads_per_worker: int | None = None,
        decoders: int = 0,
        encoders: int = 0,
        max_memory: int | str | None = None,
        take_up: bool = False,
    ) -> None:
        if not isinstance(remover, Remover):
            raise ArgumentTypeError(f"remover is {type(remover).__name__}, not a Remover")
        self._remover = remover
        self._rendering = rendering_of(output, background, suffix, png)
        resume = check_flag("resume", resume) or watch is not None or resume_anyway
        resume = resume or retry_failed or take_up
        self._rules = Rules(
            check_flag("overwrite", overwrite), resume, check_flag("retry_failed", retry_failed),
            check_flag("checksum", checksum), one_of("sync", sync, Sync),
        )  # fmt: skip
        self._resume_anyway = check_flag("resume_anyway", resume_anyway)
        self._take_up = check_flag("take_up", take_up)
        self._shard = Shard.parse(shard)
        self._watch = watch
        self._most = parse_size(max_memory) if isinstance(max_memory, str) else max_memory
        self._codecs: dict[str, Any] = {"decoders": decoders, "encoders": encoders}
        self._pool, self._memory = self._make_pool(
            workers=workers, threads_per_worker=threads_per_worker
        )
        self._sink, self._root = sink_of(destination, sync)
        self._manifest = manifest_path(manifest, self._root)
        self._review = None if review is None else Review(Path(review))
        excluded = [path for path in (self._root, review) if path is not None]
        self._opened = open_inputs(
            listed(inputs), suffix, recursive=recursive, excluded=[Path(e) for e in excluded],
            unpack=unpack, column=column, watch=watch,
        )  # fmt: skip
        self._identity = Identity.of(remover, self._rendering, background)
        self.total, warning = self._checked()
        self.report = BulkReport(notes=[warning] if warning else [])
        self._stopped = threading.Event()
        self._desk: Desk | None = None

    def run(self, tell: Callable[[Outcome], object] = lambda outcome: None) -> BulkReport:
        """Do all of it; ``tell`` is called with every picture."""
        for outcome in self.outcomes():
            tell(outcome)
        return self.report

    def outcomes(self) -> Iterator[Outcome]:
        """Do it picture by picture; leaving the loop ends the run as :meth:`stop` does."""
        began = time.perf_counter()
        with Manifest(self._manifest, sync=self._rules.sync == "full") as manifest:
            desk = self._desk = self._make_desk(manifest)
            archives = ArchiveDesk(desk)
            manifest.append(self._header())
            try:
                with closing(self._results(desk, archives)) as results:
                    for picture, result in results:
                        (desk if picture.place is None else archives).settle(picture, result)
                        yield from self._counted(desk)
            finally:
                archives.close()
                self._take_stock(desk, began)
            yield from self._counted(desk)
            manifest.append({"run": self._number, "ended": time.time(), **self._summary()})

    def calibrate(self) -> Calibration | None:
        """Measure how many workers of how many threads are fastest, and take these.

        It takes some seconds, with the first pictures of the run; None where none can be measured
        with. To be called before the run.
        """
        found = (picture for source in self._opened.files for picture in source if picture.target)
        samples: list[ImageLike] = []
        for picture in itertools.islice(found, SAMPLES):
            with suppress(OSError, ImageError):
                data = picture.read()
                load_image(data, max_pixels=self._remover.max_pixels)
                samples.append(data)
        if not samples:
            return None
        measured = calibrate(self._remover, samples, self._rendering)
        self._pool, self._memory = self._make_pool(plan=measured.chosen.plan)
        return measured

    def stop(self) -> None:
        """Begin no more pictures; those that were begun are finished. Any thread may call this."""
        self._stopped.set()
        self.report.interrupted = True
        self._opened.stop()
        self._pool.stop()

    @property
    def skipped(self) -> int:
        """Pictures so far that an earlier run has settled."""
        counts = None if self._desk is None else self._desk.counts
        return 0 if counts is None else counts.skipped + counts.failed_before

    @property
    def plan(self) -> str:
        """Workers and threads, in a line."""
        return self._pool.plan.line()

    # How it is made.

    def _make_pool(self, **given: Any) -> tuple[SessionPool, MemoryLimit | None]:
        """Workers as they are asked for, in the memory that there is for them."""
        pool = SessionPool(self._remover, **given, **self._codecs)
        if self._most is None:
            return pool, None
        holders = len(pool.plan.workers) + pool.decoders + pool.encoders
        limit = MemoryLimit.of(check_count("max_memory", self._most), holders)
        bounds: dict[str, Any] = {"most_items": limit.most_items, "most_bytes": limit.most_bytes}
        return SessionPool(self._remover, plan=pool.plan, **self._codecs, **bounds), limit

    def _checked(self) -> tuple[int | None, str]:
        count, warning = check(self._opened, self._root, self._shard.holds)
        knows = not self._opened.passing and not self._opened.archives
        return (count if knows else None), warning

    def _make_desk(self, manifest: Manifest) -> Desk:
        history = History()
        if self._rules.resume:
            history = History.read(
                manifest.lines(), self._identity, ours=self._shard.holds,
                any_identity=self._resume_anyway,
            )  # fmt: skip
            if not (self._take_up or self._resume_anyway):
                history.refuse_others(self._identity)
        if manifest.torn:
            self.report.notes.append("the manifest ended in half a line, which was cut off")
        who = {"made_with": self._identity.hash, "pid": os.getpid(), "shard": str(self._shard)}
        follows = self._watch is not None
        books = Books(manifest, who, self._review, history.records if follows else None)
        taken = Taken() if self._opened.several and not follows else None
        return Desk(self._sink, self._root, books, history, self._rules, taken)

    def _header(self) -> dict[str, Any]:
        self._number = secrets.token_hex(4)
        return {
            "run": self._number, "began": time.time(), "pyhades": pyhades.__version__,
            "made_with": self._identity.hash, "model": self._identity.model,
            "model_sha256": self._identity.model_sha256, "options": self._identity.options,
            "shard": str(self._shard), "pid": os.getpid(), "isa": self._remover.isa,
            "plan": self.plan,
        }  # fmt: skip

    # How it goes.

    def _results(
        self, desk: Desk, archives: ArchiveDesk
    ) -> Generator[tuple[Picture, Rendered | Exception]]:
        yield from self._pool.run(
            self._pictures(desk, archives), self._rendering, read=self._read,
            look=no_doubt if self._review is None else doubt_about,
            in_order=bool(self._opened.archives),
        )  # fmt: skip

    def _pictures(self, desk: Desk, archives: ArchiveDesk) -> Iterator[Picture]:
        """What is to be cut out, taken by a thread of the pool."""
        for picture in self._opened.pictures(archives, self._shard.holds):
            if self._stopped.is_set():
                return
            if picture.place is not None or desk.wants(picture):
                yield picture

    def _read(self, picture: Picture) -> bytes:
        picture.began = time.perf_counter()
        data = picture.read()
        picture.nbytes = len(data)
        if self._rules.checksum:
            picture.sha256 = hashlib.sha256(data).hexdigest()
        if self._memory is not None:
            self._memory.check(data, str(picture))
        return data

    def _counted(self, desk: Desk) -> Iterator[Outcome]:
        for outcome in desk.books.news():
            self.report.count(outcome)
            yield outcome

    def _take_stock(self, desk: Desk, began: float) -> None:
        self.report.skipped = desk.counts.skipped
        self.report.failed_before = desk.counts.failed_before
        self.report.seconds = time.perf_counter() - began
        self.report.stages = self._pool.stages | StageReport.of([desk.clock])
        self.report.notes += desk.books.notes.values()

    def _summary(self) -> dict[str, Any]:
        report = self.report
        stages = {name: round(times.mean, 5) for name, times in report.stages.stages.items()}
        return {
            "done": report.done, "failed": report.failed, "skipped": report.skipped,
            "seconds": round(report.seconds, 3), "stages": stages, "stopped": report.interrupted,
        }  # fmt: skip

    def __repr__(self) -> str:
        total = "?" if self.total is None else self.total
        return f"BulkRun({total} pictures, {self._shard}, {self._pool!r})"
