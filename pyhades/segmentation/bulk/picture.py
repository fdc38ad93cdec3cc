"""A picture on its way through a run, and what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pyhades.segmentation.bulk.sinks.place import Place

Status = Literal["done", "failed", "unwritten", "refused"]
"""``failed``: the picture's fault; ``unwritten``: that of the place where its result goes;
``refused``: something else has the name of its result."""


@dataclass(frozen=True)
class Stamp:
    """How a picture is told from a later one of its name.

    Attributes
    ----------
    size
        In bytes.
    mtime_ns
        When it was changed; 0 where nobody knows.
    """

    size: int = 0
    mtime_ns: int = 0


def stamp_of(path: Path) -> Stamp:
    """Of a file."""
    status = path.stat()
    return Stamp(status.st_size, status.st_mtime_ns)


@dataclass(eq=False)
class Picture:
    """One image to read, and where its result goes.

    Attributes
    ----------
    key
        What the manifest calls it: its path below the input, with ``/`` between folders.
    target
        Where the result goes, below the destination; of an archive, the archive.
    read
        The content of its file.
    shown
        What messages call it.
    stamp
        None where nobody knows before it is read.
    place
        In an archive; None for a file.
    archive
        The key of the archive that it comes from; empty for a file.
    began
        When a worker took it.
    nbytes, sha256
        Of what was read.
    """

    key: str
    target: str
    read: Callable[[], bytes]
    shown: str = ""
    stamp: Stamp | None = None
    place: Place | None = None
    archive: str = ""
    began: float = field(default=0.0, repr=False)
    nbytes: int = 0
    sha256: str = ""

    def __str__(self) -> str:
        return self.shown or self.key


def broken(key: str, error: Exception, shown: str = "") -> Picture:
    """What stands for something that cannot be read: reading it says why."""

    def read() -> bytes:
        raise error

    return Picture(key, "", read, shown)


@dataclass(frozen=True)
class Outcome:
    """What became of a picture.

    Attributes
    ----------
    input
        The key of the picture.
    status
        ``"done"``, ``"failed"`` (it cannot be read, or cut out), ``"unwritten"`` (its result cannot
        be kept, for want of room, say) or ``"refused"`` (something else has the name of its
        result).
    reason
        Why not; empty where it is done.
    output
        Path of the result, below the destination.
    foreground
        Mean of the matte, 0 to 1.
    doubt
        Why somebody should look at the matte; empty where nobody has to.
    seconds
        From the moment when a worker took it until its result was in place.
    shown
        What messages call it.
    stages
        Seconds of each stage, by name; none of a picture that failed.
    engine
        What made the matte; empty for a picture that failed.
    """

    input: str
    status: Status
    reason: str = ""
    output: str = ""
    foreground: float = 0.0
    doubt: str = ""
    seconds: float = 0.0
    shown: str = ""
    stages: Mapping[str, float] = field(default_factory=dict)
    engine: str = ""

    def __str__(self) -> str:
        return f"{self.shown or self.input}: {self.reason or self.status}"


def since(moment: float) -> float:
    """Seconds since then, as far as anybody wants to know; 0 where there was none."""
    return round(time.perf_counter() - moment, 4) if moment else 0.0
