"""How a run goes, and what came of it, for somebody who looks."""

from __future__ import annotations

import os
import re
import sys

import click
from tqdm import tqdm

from pyhades.segmentation.bulk.report import BulkReport

RESUME = "the same command with --resume goes on where it was"


class Progress:
    """A bar with rate, time left and failures, where somebody looks at it.

    Parameters
    ----------
    total
        Pictures that there are; None where nobody knows.
    quiet
        Show none.
    """

    def __init__(self, total: int | None, *, quiet: bool) -> None:
        self._total = total
        self._bar = tqdm(
            total=total, unit="image", disable=True if quiet else None, file=sys.stderr,
            dynamic_ncols=True,
        )  # fmt: skip

    def advance(self, report: BulkReport, skipped: int, steps: int = 1) -> None:
        """Some more were settled."""
        if self._total is not None:
            self._bar.total = self._total - skipped  # they say nothing about the time that is left
        if report.failed:
            self._bar.set_postfix(failed=report.failed, refresh=False)
        self._bar.update(steps)

    def say(self, text: str) -> None:
        """A line above the bar."""
        try:
            self._bar.write(printable(text), file=sys.stderr)
        except OSError:  # nobody reads it
            self._bar.disable = True

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()


def tell_report(report: BulkReport) -> None:
    """What came of it, with the first failures."""
    for outcome in report.failures:
        tell(f"error: {outcome}")
    if more := report.failed - len(report.failures):
        tell(f"and {more} more errors, see the manifest")
    for line in report.lines():
        tell(line)


def tell(text: str) -> None:
    """A line on standard error, whatever characters names have."""
    try:
        click.echo(printable(text), err=True)
    except OSError:  # nobody reads it; the manifest has it all
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115


def printable(text: str) -> str:
    r"""A text without what would move the cursor, with bytes that are no UTF-8 as escapes.

    Examples
    --------
    >>> printable("a\nb\udcff.jpg")
    'a\\nb\\xff.jpg'
    """
    known = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], known)


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
