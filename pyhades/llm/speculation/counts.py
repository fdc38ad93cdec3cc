"""What drafts have brought so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

SourceName = Literal["text", "prediction", "past", "grammar", "header"]
"""Where a draft comes from: prompt and answer, what the request predicts, earlier answers to the
same client, a grammar, or what stands between messages."""


@dataclass
class SourceCounts:
    """Drafts of one source.

    Attributes
    ----------
    drafted
        Tokens that were tried.
    accepted
        Those of them that turned out to be what comes next.
    """

    drafted: int = 0
    accepted: int = 0

    @property
    def rate(self) -> float:
        """Share of the tried tokens that were accepted; 0 of none.

        Examples
        --------
        >>> SourceCounts(8, 6).rate
        0.75
        """
        return self.accepted / self.drafted if self.drafted else 0.0


@dataclass(frozen=True)
class SpeculationCounts:
    """What drafts have brought so far, of all answers together.

    Attributes
    ----------
    steps
        Steps in which drafts were tried.
    drafted
        Tokens that were tried.
    accepted
        Those of them that turned out to be what comes next: so many tokens have not taken a step
        of their own.
    by_source
        The two by where drafts came from; sources that never had a draft are missing.
    seconds_gained
        What the same tokens would have taken without drafts, less what they have taken.
    seconds_drafting
        Spent on finding drafts and choosing among them; part of the above.
    pauses
        How often trying was given up for a while because it had lost time.
    is_paused
        Whether it is given up now.
    """

    steps: int = 0
    drafted: int = 0
    accepted: int = 0
    by_source: Mapping[SourceName, SourceCounts] = field(default_factory=dict)
    seconds_gained: float = 0.0
    seconds_drafting: float = 0.0
    pauses: int = 0
    is_paused: bool = False
