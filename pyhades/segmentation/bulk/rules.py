"""How a run treats what is there already, and what it asks of the place where results go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pyhades.segmentation.bulk.sinks.files import Sync


class Sink(Protocol):
    """Where results go."""

    def size(self, target: str) -> int | None:
        """Of a file; None where there is none."""

    def exists(self, target: str) -> bool:
        """Whether something has that name."""

    def holds(self, target: str, parts: Sequence[bytes]) -> bool:
        """Whether a file is there that has this content."""

    def write(self, target: str, parts: Sequence[bytes], *, replace: bool) -> None:
        """Write a file: all of it, or nothing."""


@dataclass(frozen=True)
class Rules:
    """How a run treats what is there already.

    Attributes
    ----------
    overwrite
        Replace results that exist.
    skip_existing
        Leave out pictures whose results exist, whoever made them.
    resume
        Leave out what the manifest says is done.
    retry_failed
        Try again what failed.
    checksum
        Tell pictures by their content, not by size and time.
    sync
        What survives a power cut.
    """

    overwrite: bool = False
    skip_existing: bool = False
    resume: bool = False
    retry_failed: bool = False
    checksum: bool = False
    sync: Sync = "file"


@dataclass
class Counts:
    """What needs no work.

    Attributes
    ----------
    skipped, failed_before
        Pictures that an earlier run has done, or could not do.
    existing
        Pictures whose results are there, whoever made them.
    repeated
        Files that were named before.
    """

    skipped: int = 0
    failed_before: int = 0
    existing: int = 0
    repeated: int = 0

    @property
    def all(self) -> int:
        """Of them together."""
        return self.skipped + self.failed_before + self.existing + self.repeated
