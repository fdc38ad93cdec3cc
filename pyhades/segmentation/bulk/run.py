"""A run through many pictures that may end at any moment and goes on where it was."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from pyhades.errors import ArgumentTypeError
from pyhades.segmentation.bulk.beginning import (
    earlier_results,
    files_among,
    listed,
    manifest_path,
    rendering_of,
    sink_of,
)
from pyhades.segmentation.bulk.calibration import Calibration
from pyhades.segmentation.bulk.desk import Desk
from pyhades.segmentation.bulk.identity import Identity
from pyhades.segmentation.bulk.manifest import Manifest
from pyhades.segmentation.bulk.passage import Passage, desk_of
from pyhades.segmentation.bulk.picture import Outcome
from pyhades.segmentation.bulk.report import BulkReport
from pyhades.segmentation.bulk.review import Review
from pyhades.segmentation.bulk.run_lines import first_line, last_line
from pyhades.segmentation.bulk.settings import Settings
from pyhades.segmentation.bulk.sinks.files import Sync
from pyhades.segmentation.bulk.sources.checking import check
from pyhades.segmentation.bulk.sources.opening import Finding, InputLike, open_inputs
from pyhades.segmentation.bulk.sources.patterns import PLAIN, Selection, check_name_pattern
from pyhades.segmentation.bulk.workforce import Workforce
from pyhades.segmentation.clock import StageReport
from pyhades.segmentation.compose import BackgroundLike
from pyhades.segmentation.cutout import Output
from pyhades.segmentation.finish import Finish
from pyhades.segmentation.image.png import Compression
from pyhades.segmentation.image.write import Bits, WriteOptions
from pyhades.segmentation.remover import Remover


class BulkRun:
    """Removes the background of many pictures, and keeps a record of it.

    A line is added to a manifest beside the results for every picture, after its result was put in
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
    output, background, png, quality, lossless, bits, strip
        See :meth:`pyhades.segmentation.Cutout.encode`.
    first_frame
        Take the first of several frames or pages; else all are cut out, into one file.
    finish
        Steps such as cropping, see :class:`pyhades.segmentation.Finish`.
    suffix
        Of results, such as ``".webp"``.
    recursive
        Whether folders in folders count.
    include, exclude
        Patterns of which pictures are meant, one or several of each, see
        :class:`~pyhades.segmentation.bulk.sources.patterns.Selection`.
    name_pattern
        Of results, such as ``"{stem}-cut{suffix}"``.
    overwrite
        Replace results that exist; else they are failures, unless the manifest says that they were
        made of the same pictures in the same way.
    skip_existing
        Leave out pictures whose results exist, whoever made them.
    resume
        Leave out what is done: what the manifest says so of, and whose result is there.
    retry_failed
        With ``resume``: try again what failed.
    resume_anyway
        Resume although what is done was made with other options or another model.
    shard
        ``"2/8"``: do the second of eight parts, which are told apart by the names of pictures.
    unpack
        Write pictures of tar archives and of Parquet files to files, not to archives and tables.
    column
        Of Parquet files, that holds pictures.
    manifest
        Its file; by default one beside the destination, whose name begins with a dot.
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
    engine_timeout
        Seconds that an engine may take for a picture before it is given up, see
        :class:`pyhades.engines.Patience`; not for our engine alone.
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
    >>> import tempfile, pyhades
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
        quality: int | None = None,
        lossless: bool | None = None,
        bits: Bits = 8,
        strip: bool = False,
        first_frame: bool = False,
        finish: Finish | None = None,
        recursive: bool = True,
        include: str | Sequence[str] = (),
        exclude: str | Sequence[str] = (),
        name_pattern: str = PLAIN,
        overwrite: bool = False,
        skip_existing: bool = False,
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
        engine_timeout: float | None = None,
        max_memory: int | str | None = None,
        take_up: bool = False,
    ) -> None:
        if not isinstance(remover, Remover):
            raise ArgumentTypeError(f"remover is {type(remover).__name__}, not a Remover")
        self._remover = remover
        self._rendering = rendering_of(
            output, background, suffix, WriteOptions(png, quality, lossless, bits, strip),
            first_frame=first_frame, finish=finish,
        )  # fmt: skip
        self._settings = Settings.of(
            overwrite=overwrite, skip_existing=skip_existing, resume=resume,
            retry_failed=retry_failed, resume_anyway=resume_anyway, checksum=checksum, sync=sync,
            shard=shard, take_up=take_up, follows=watch is not None,
        )  # fmt: skip
        self._workforce = Workforce(
            remover, max_memory, {"decoders": decoders, "encoders": encoders},
            suffix=suffix, finish=finish, engine_timeout=engine_timeout,
            workers=workers, threads_per_worker=threads_per_worker,
        )  # fmt: skip
        self._sink, self._root = sink_of(destination, sync)
        self._manifest = manifest_path(manifest, self._root)
        self._review = None if review is None else Review(Path(review))
        excluded = [Path(path) for path in (self._root, review) if path is not None]
        given = listed(inputs)
        self._results = earlier_results(self._root, self._manifest, given, self._settings)
        self._opened = open_inputs(given, Finding(
            suffix, check_name_pattern(name_pattern), recursive, excluded,
            Selection.of(include, exclude), self._results, unpack, column,
            watch,
        ))  # fmt: skip
        self._identity = Identity.of(remover, self._rendering, background)
        count, notes = check(
            self._opened, self._root, self._settings.shard.holds, spared=files_among(background)
        )
        knows = not self._opened.passing and not self._opened.archives
        self.total = count if knows else None
        self.report = BulkReport(notes=notes)
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
        with Manifest(self._manifest, sync=self._settings.rules.sync == "full") as manifest:
            desk = self._desk = self._make_desk(manifest)
            number = secrets.token_hex(4)
            who = self._identity, self._settings.shard, self._remover.isa, self.plan
            manifest.append(first_line(number, *who))
            passage = Passage(
                self._opened, desk, self._settings, self._rendering, self._workforce, self._stopped
            )
            try:
                with closing(passage.results()) as results:
                    for picture, result in results:
                        passage.settle(picture, result)
                        yield from self._counted(desk)
            finally:
                passage.close()
                self._take_stock(desk, began)
            yield from self._counted(desk)
            try:
                manifest.append(last_line(number, self.report))
            except OSError as error:
                self.report.notes.append(f"the manifest lacks its last line: {error}")

    def calibrate(self) -> Calibration | None:
        """Measure how many workers of how many threads are fastest, and take these.

        It takes some seconds, with the first pictures of the run; None where none can be measured
        with. To be called before the run.
        """
        found = (picture for source in self._opened.files for picture in source if picture.target)
        return self._workforce.calibrate(found, self._rendering)

    def stop(self) -> None:
        """Begin no more pictures; those that were begun are finished. Any thread may call this."""
        self._stopped.set()
        self.report.interrupted = True
        self._opened.stop()
        self._workforce.pool.stop()

    @property
    def skipped(self) -> int:
        """Pictures so far that an earlier run has settled."""
        return 0 if self._desk is None else self._desk.counts.all

    @property
    def plan(self) -> str:
        """Workers and threads, in a line."""
        return self._workforce.pool.line()

    def _make_desk(self, manifest: Manifest) -> Desk:
        place = self._sink, self._root
        desk = desk_of(manifest, self._settings, self._identity, self._opened, place, self._review)
        if manifest.torn:
            self.report.notes.append("the manifest ended in half a line, which was cut off")
        desk.results = self._results
        return desk

    def _counted(self, desk: Desk) -> Iterator[Outcome]:
        for outcome in desk.books.news():
            self.report.count(outcome)
            yield outcome

    def _take_stock(self, desk: Desk, began: float) -> None:
        self.report.skipped = desk.counts.skipped
        self.report.failed_before = desk.counts.failed_before
        self.report.existing = desk.counts.existing
        self.report.repeated = desk.counts.repeated
        self.report.seconds = time.perf_counter() - began
        self.report.stages = self._workforce.pool.stages | StageReport.of([desk.clock])
        self.report.notes += desk.books.notes.values()
        engines = self._workforce.pool.engines
        self.report.notes += [
            f"engine {each}" for each in engines if each.pictures or each.failures
        ]

    def __repr__(self) -> str:
        total = "?" if self.total is None else self.total
        return f"BulkRun({total} pictures, {self._settings.shard}, {self._workforce.pool!r})"
