"""What a level of the cache holds and has done."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LevelCounts:
    """What a level holds, and has done so far.

    Attributes
    ----------
    name
        ``"memory"`` or ``"disk"``.
    records, bytes, room
        How many, what they take, and what they may take.
    raw_bytes
        What they would take without compression.
    hits, misses
        Records that were asked for and found, and that were there no more.
    written, evicted
        Records that came, and that were given up for others.
    damaged
        Records that were found to be damaged, and dropped.
    skipped
        Records that could not be kept: the level could not follow, or could not write.
    """

    name: str
    records: int = 0
    bytes: int = 0
    room: int = 0
    raw_bytes: int = 0
    hits: int = 0
    misses: int = 0
    written: int = 0
    evicted: int = 0
    damaged: int = 0
    skipped: int = 0

    def __str__(self) -> str:
        held = f"{self.records} records, {self.bytes / 1e6:.1f} of {self.room / 1e6:.1f} MB"
        smaller = f", {self.raw_bytes / self.bytes:.2f} times smaller" if self.bytes else ""
        return held + smaller

    @property
    def summary(self) -> str:
        """A line about it.

        Examples
        --------
        >>> LevelCounts("disk", 3, 2_000_000, 16_000_000, 4_000_000, hits=7).summary
        '3 records in 2.0 of 16.0 MB (4.0 without compression), 7 found, 0 written'
        """
        packed = f" ({_size(self.raw_bytes)} without compression)" * (self.raw_bytes != self.bytes)
        troubles = {"gone": self.misses, "given up": self.evicted, "damaged": self.damaged,
                    "skipped": self.skipped}  # fmt: skip
        told = "".join(f", {count} {what}" for what, count in troubles.items() if count)
        return (
            f"{self.records} records in {_size(self.bytes)} of {_size(self.room)} MB{packed}, "
            f"{self.hits} found, {self.written} written{told}"
        )


def _size(count: int) -> str:
    return f"{count / 1e6:.1f}"
