"""Where one result goes in an archive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyhades.segmentation.bulk.sinks.tar import Shelf

Kept = Callable[[int], None]
Failed = Callable[[Exception], None]


@dataclass
class Place:
    """Of one member, which is written when all before it are.

    Attributes
    ----------
    name
        Of the member.
    mtime
        Seconds since 1970.
    """

    shelf: Shelf
    name: str
    mtime: int
    parts: Sequence[bytes] | None = None
    is_ready: bool = False
    kept: Kept | None = None
    failed: Failed | None = None
    reason: str = ""

    def fill(
        self, parts: Sequence[bytes] | None, kept: Kept, failed: Failed, reason: str = ""
    ) -> None:
        """Say what belongs there; None for nothing.

        Parameters
        ----------
        parts
            Content of the member, in pieces.
        kept
            Called with its checksum once it is written, and so is all before it.
        failed
            Called if it cannot be written.
        reason
            Why there is nothing.
        """
        self.reason = reason
        self.parts, self.kept, self.failed, self.is_ready = parts, kept, failed, True
        self.shelf.advance()
