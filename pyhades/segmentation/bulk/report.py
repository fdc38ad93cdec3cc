"""What came of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from pyhades.segmentation.bulk.picture import Outcome
from pyhades.segmentation.clock import StageReport
from pyhades.tables import as_html

LISTED = 20
"""Failures that a report names; the manifest has all of them."""


@dataclass
class BulkReport:
    """What came of a run; prints as a few lines.

    Attributes
    ----------
    done, failed
        Pictures of this run.
    skipped
        Pictures that an earlier run has done.
    failed_before
        Pictures that failed in an earlier run and were not tried again.
    existing
        Pictures whose results were there, whoever made them.
    repeated
        Files that were named before, and were done once.
    doubtful
        Results that somebody should look at.
    failures
        The first of those that failed.
    seconds
        That it took.
    stages
        Where the time went.
    interrupted
        Whether it was stopped before its end.
    notes
        What else is to be said.
    """

    done: int = 0
    failed: int = 0
    skipped: int = 0
    failed_before: int = 0
    existing: int = 0
    repeated: int = 0
    doubtful: int = 0
    failures: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0
    stages: StageReport = field(default_factory=lambda: StageReport({}))
    interrupted: bool = False
    notes: list[str] = field(default_factory=list)

    def count(self, outcome: Outcome) -> None:
        """Take another picture in."""
        if outcome.status == "done":
            self.done += 1
            self.doubtful += bool(outcome.doubt)
            return
        self.failed += 1
        if len(self.failures) < LISTED:
            self.failures.append(outcome)

    @property
    def ok(self) -> bool:
        """Whether everything is done."""
        return not (self.failed or self.failed_before or self.interrupted)

    @property
    def rate(self) -> float:
        """Pictures per second."""
        return (self.done + self.failed) / self.seconds if self.seconds else 0.0

    def lines(self) -> Iterator[str]:
        """All that is to be said."""
        yield f"{self.done} of {self.done + self.failed} images done"
        if self.seconds >= 1 and self.done > 1:
            yield f"{self.rate:.2f} images a second; {self.stages}"
        if self.skipped:
            yield f"{self.skipped} were done before"
        if self.existing:
            yield f"existed, and are as they were: {self.existing}"
        if self.repeated:
            yield f"named more than once, and done once: {self.repeated}"
        if self.failed_before:
            yield f"{self.failed_before} failed before; retry_failed (--retry-failed) tries again"
        if self.doubtful:
            yield f"{self.doubtful} masks are doubtful"
        yield from self.notes

    def reasons(self) -> list[tuple[str, int]]:
        """Why pictures of the list failed, the most frequent first."""
        return Counter(outcome.reason for outcome in self.failures).most_common()

    def __str__(self) -> str:
        listed = [f"error: {outcome}" for outcome in self.failures]
        more = self.failed - len(listed)
        rest = [f"and {more} more, see the manifest"] if more else []
        return "\n".join([*self.lines(), *listed, *rest])

    def _repr_html_(self) -> str:
        rows = [["picture", "reason"], *([o.input, o.reason] for o in self.failures)]
        return as_html([[line] for line in self.lines()]) + (as_html(rows) if self.failures else "")
