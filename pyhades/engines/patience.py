"""How long engines are waited for, and what is known of each of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyhades.arguments import check_count
from pyhades.errors import ArgumentError

FIRST_SECONDS = 600.0
"""That the first run of a consumer may take: weights go to a device, kernels are compiled."""
LEAST_SECONDS = 60.0
"""That any other run may take, where nobody has said otherwise."""
TIMES_SLOWEST = 20
"""Of the slowest run of an engine so far, where that is more."""


@dataclass(frozen=True)
class Patience:
    """How long engines are waited for, and how often they may fail.

    Parameters
    ----------
    seconds
        That a picture may take in an engine. By default 20 times what the slowest run of that
        engine took so far and at least a minute; the first run of a consumer has ten.
    failures
        Runs in a row after which an engine gets no more pictures.
    gather
        Seconds that a consumer which takes several pictures at once waits for more of them.

    Examples
    --------
    >>> Patience(seconds=2).limit(pictures=4, slowest=0.1)
    8
    >>> Patience().limit(pictures=4, slowest=5.0)
    100.0
    """

    seconds: float | None = None
    failures: int = 3
    gather: float = 0.005

    def __post_init__(self) -> None:
        check_count("failures", self.failures)
        for name, value in (("engine_timeout", self.seconds), ("gather", self.gather)):
            if value is not None and not (isinstance(value, int | float) and value > 0):
                raise ArgumentError(f"{name}={value!r} must be a positive number of seconds")

    def limit(self, pictures: int, slowest: float | None) -> float:
        """Seconds that a run of so many pictures may take."""
        if self.seconds is not None:
            return self.seconds * max(1, pictures)
        if slowest is None:
            return FIRST_SECONDS
        return max(LEAST_SECONDS, TIMES_SLOWEST * slowest)

    @property
    def tick(self) -> float:
        """Seconds between two looks at the engines."""
        return 0.5 if self.seconds is None else min(0.5, self.seconds / 8)


@dataclass
class Tally:
    """What an engine has done.

    Attributes
    ----------
    label
        Of the engine.
    pictures, runs
        That it has finished.
    failures
        Runs that failed, were late or never came back.
    given_back
        Pictures of such runs that went to other engines.
    late
        Pictures whose results came when nobody waited for them any more, and were dropped.
    retired
        Why it gets no more pictures; empty where it does.
    """

    label: str
    pictures: int = 0
    runs: int = 0
    failures: int = 0
    given_back: int = 0
    late: int = 0
    retired: str = ""
    in_a_row: int = field(default=0, repr=False)
    slowest: float | None = field(default=None, repr=False)
    last: str = field(default="", repr=False)

    def count(self, pictures: int, seconds: float) -> None:
        """A run that went well."""
        self.runs += 1
        self.pictures += pictures
        self.in_a_row = 0
        self.slowest = max(seconds, self.slowest or 0.0)

    def __str__(self) -> str:
        text = f"{self.label}: {self.pictures} pictures"
        if self.failures:
            text += (
                f", {self.failures} runs failed ({self.last}), {self.given_back} pictures went to "
                "other engines"
            )
        if self.late:
            text += f", {self.late} results came too late and were dropped"
        return text + (f"; retired: {self.retired}" if self.retired else "")
