"""Many images: a run with its progress, its signals and its exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from pyhades.cli.remove_options import Request
from pyhades.cli.remove_parts import COUNTS, remove_in_parts
from pyhades.cli.remove_progress import RESUME, Progress, tell, tell_report
from pyhades.cli.signals import Stopping
from pyhades.cli.streams import STANDARD, write_all
from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.report import BulkReport
from pyhades.segmentation.bulk.run import BulkRun
from pyhades.segmentation.bulk.sources.lists import Listed
from pyhades.segmentation.bulk.sources.opening import InputLike
from pyhades.segmentation.remover import Remover

MANY = 2000
"""Images from which on some seconds of measuring pay."""


def remove_many(remover: Remover, request: Request, arguments: Sequence[str]) -> int:
    """Do a run; the exit code.

    Parameters
    ----------
    arguments
        The command's own, for processes that do a part each.
    """
    run = _make_run(remover, request)
    if request.as_part:
        return _as_part(run)
    if request.processes is not None:
        remover.close()  # the others have one each
        return remove_in_parts(run, request, arguments)
    with Stopping(run.stop) as stopping:
        report = _with_progress(run, request)
    tell_report(report)
    if stopping.signal:
        tell(f"interrupted: {RESUME}")
        return 128 + stopping.signal
    return 0 if report.ok else 1


def _make_run(remover: Remover, request: Request) -> BulkRun:
    suffix = f".{request.suffix}"
    inputs: list[InputLike] = [*request.inputs]
    inputs += [_listed(form, name, suffix, request.null) for form, name in request.lists]
    names = (
        "recursive", "include", "exclude", "name_pattern", "overwrite", "skip_existing", "resume",
        "retry_failed", "resume_anyway", "shard", "unpack", "column", "checksum", "review",
        "workers", "decoders", "encoders", "max_memory", "take_up",
        "engine_timeout",
    )  # fmt: skip
    options: dict[str, Any] = {name: getattr(request, name) for name in names}
    return BulkRun(
        inputs, request.out, remover=remover, output=request.output, background=request.background,
        suffix=suffix, manifest=request.record, sync=request.fsync, first_frame=request.first_frame,
        finish=request.finish, watch=request.interval if request.watch else None,
        threads_per_worker=request.threads, **vars(request.writing), **options,
    )  # fmt: skip


def _listed(form: Any, name: str, suffix: str, null: bool) -> Listed:
    if name == STANDARD and sys.stdin is None:
        raise ArgumentError("standard input is closed")
    stream = sys.stdin.buffer if name == STANDARD else open(name, "rb")  # noqa: PTH123, SIM115
    return Listed.from_stream(stream, suffix, form, end=b"\0" if null else b"\n")


def _with_progress(run: BulkRun, request: Request) -> BulkReport:
    if _calibrates(run, request) and (measured := run.calibrate()) is not None:
        tell(str(measured))
    if not request.quiet:
        tell(run.plan)
    with Progress(run.total, quiet=request.quiet) as progress:
        for outcome in run.outcomes():
            if request.watch and outcome.status != "done":
                progress.say(f"error: {outcome}")
            progress.advance(run.report, run.skipped)
    return run.report


def _calibrates(run: BulkRun, request: Request) -> bool:
    """Whether it pays to measure first."""
    if request.calibrate is not None:
        return bool(request.calibrate)
    is_free = request.workers is None and request.threads is None
    return is_free and (run.total or 0) >= MANY


def _as_part(run: BulkRun) -> int:
    """Tell another process, line by line, how it goes."""
    _send({"total": run.total})
    with Stopping(run.stop) as stopping:
        for outcome in run.outcomes():
            if not _send({"outcome": vars(outcome), "skipped": run.skipped}):
                run.stop()  # whoever asked for it is no more
    report = run.report
    names = (*COUNTS, "notes", "interrupted")
    _send({"report": {name: getattr(report, name) for name in names}})
    return 128 + stopping.signal if stopping.signal else 0 if report.ok else 1


def _send(message: dict[str, Any]) -> bool:
    try:
        write_all(sys.stdout.buffer, [json.dumps(message).encode() + b"\n"])
    except OSError:
        return False
    return True
