"""A run in several processes, with one bar."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Any

import click

from pyhades.cli.remove_options import Request
from pyhades.cli.remove_progress import RESUME, Progress, tell, tell_report
from pyhades.cli.signals import Stopping
from pyhades.segmentation.bulk.launch import Child, Crowd, parts_of
from pyhades.segmentation.bulk.picture import Outcome
from pyhades.segmentation.bulk.report import BulkReport
from pyhades.segmentation.bulk.run import BulkRun
from pyhades.segmentation.bulk.shards import Shard

COUNTS = ("skipped", "failed_before", "existing", "repeated")
"""Of what needs no work, in a report."""


class Combined:
    """What several processes have said."""

    def __init__(self, run: BulkRun, quiet: bool) -> None:
        self.report = BulkReport(notes=list(run.report.notes))
        self.code = 0
        self.complaints: list[str] = []
        self._skipped: dict[Shard, int] = {}
        self._progress = Progress(run.total, quiet=quiet)

    def hear(self, child: Child, message: dict[str, Any]) -> None:
        """Take in what a process says."""
        shard = child.part.shard
        if "outcome" in message:
            self.report.count(Outcome(**message["outcome"]))
            self._skipped[shard] = max(self._skipped.get(shard, 0), message["skipped"])
            if not child.is_second:
                self._progress.advance(self.report, sum(self._skipped.values()))
            else:  # what its predecessor has done is skipped by it, and was counted
                self._progress.advance(self.report, 0)
        elif "report" in message and not child.is_second:
            self._add(message["report"])
        elif "died" in message:
            how = _death(message["died"])
            self._progress.say(f"the process of part {shard} {how}; another one goes on with it")
        elif "ended" in message:
            self._ended(child, message["ended"])

    def _add(self, report: dict[str, Any]) -> None:
        for name in COUNTS:
            setattr(self.report, name, getattr(self.report, name) + report[name])
        self.report.interrupted |= report["interrupted"]
        # All have looked at the same names.
        self.report.notes += [note for note in report["notes"] if note not in self.report.notes]

    def _ended(self, child: Child, code: int) -> None:
        if code < 0 or code > 128:
            self.complaints.append(f"the process of part {child.part.shard} {_death(code)}")
        complaint = child.complaint()
        if complaint and complaint not in self.complaints and code not in (0, 130, 143):
            self.complaints.append(complaint)
        self.code = max(self.code, 2 if code == 2 else int(code != 0))

    def close(self) -> None:
        """There is nothing more to show."""
        self._progress.__exit__()


def remove_in_parts(run: BulkRun, request: Request, arguments: Sequence[str]) -> int:
    """Do a run in several processes; the exit code. ``run`` itself only says what there is."""
    parts = parts_of(request.processes, Shard.parse(request.shard))
    combined = Combined(run, request.quiet)
    crowd = Crowd(arguments, parts)
    with Stopping(crowd.stop) as stopping:
        try:
            for child, message in crowd.messages():
                combined.hear(child, message)
        finally:
            crowd.kill()
            combined.close()
    for complaint in combined.complaints:
        click.echo(complaint, err=True)  # lines that a process has written
    if combined.code == 2:
        return 2
    tell_report(combined.report)
    if stopping.signal:
        tell(f"interrupted: {RESUME}")
        return 128 + stopping.signal
    return combined.code


def _death(code: int) -> str:
    if code < 0:
        return f"was killed ({signal.Signals(-code).name})"
    return f"ended with {code}"
