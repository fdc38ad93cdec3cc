"""What lies among pictures and is not taken, so that nobody finds out later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

SHOWN = 8
"""Kinds that are told; there may be as many as files."""


@dataclass
class LeftOut:
    """Files and folders that were not taken, by the reason.

    Attributes
    ----------
    names
        How many there are by their suffix.
    first
        The first of each suffix.
    links, others
        What else was left out, in the words that are told.
    results
        How many are results of earlier runs.
    """

    names: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    results: int = 0

    def add(self, path: str) -> None:
        """A file whose name is not that of a picture."""
        suffix = PurePosixPath(path).suffix.lower()
        self.names[suffix] += 1
        if suffix not in self.first:
            self.first[suffix] = str(PurePosixPath(path))

    def lines(self) -> Iterator[str]:
        """What is to be said."""
        if self.names:
            yield f"left out, as their names are not those of pictures: {', '.join(self._kinds())}"
        for said in (self.links, self.others):
            yield from said[:SHOWN]
            if len(said) > SHOWN:
                yield f"left out: {len(said) - SHOWN} more of this kind"
        if self.results:
            yield f"left out, as results of earlier runs: {self.results}"

    def _kinds(self) -> Iterator[str]:
        kinds = sorted(self.names.items(), key=lambda kind: (bool(kind[0]), -kind[1], kind[0]))
        for suffix, count in kinds[:SHOWN]:
            what = suffix or "without suffix"
            first = self.first[suffix]
            yield f"{count} {what} ({first})" if count == 1 else f"{count} {what} (such as {first})"
        if rest := sum(count for _, count in kinds[SHOWN:]):
            yield f"{rest} more"
