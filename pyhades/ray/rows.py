"""A row on its way through an actor."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pyhades.ray.columns import Outcome
from pyhades.ray.fetching import reason_of
from pyhades.segmentation.bulk.chain import Rendered


@dataclass
class Row:
    """A picture, and what has become of it so far.

    Attributes
    ----------
    picture
        As its column holds it.
    target
        The name of its result; None where that is not written.
    wrong
        Why it is not even read.
    seconds
        That its steps have taken, without waiting for each other.
    """

    picture: Any
    target: str | None = None
    wrong: Exception | None = None
    seconds: float = 0.0

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """A step of it."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - began

    def outcome(self, done: Rendered | Exception, output: str | None) -> Outcome:
        """What became of it.

        Parameters
        ----------
        done
            Its result, or why there is none.
        output
            Where that was written; its content does not come back then.
        """
        seconds = round(self.seconds, 4)
        if isinstance(done, Exception):
            return Outcome(None, seconds, reason_of(done))
        return Outcome(done if output is None else replace(done, parts=[]), seconds, "", output)
