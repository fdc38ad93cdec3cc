"""Peak memory of this process, without what measuring itself takes if need be."""

from __future__ import annotations

import contextlib
import re
import resource
from collections.abc import Iterator
from pathlib import Path

_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


class PeakMemory:
    """The largest resident set so far, in bytes."""

    def __init__(self) -> None:
        self._peak = 0

    def nbytes(self) -> int:
        """Of everything outside of :meth:`uncounted` blocks."""
        self._peak = max(self._peak, high_water_mark())
        return self._peak

    @contextlib.contextmanager
    def uncounted(self) -> Iterator[None]:
        """What is allocated and freed inside does not count."""
        self.nbytes()
        try:
            yield
        finally:
            _CLEAR.write_text(_RESET_PEAK)


def high_water_mark() -> int:
    """The largest resident set of this process so far, in bytes.

    ``ru_maxrss`` would do, but it survives exec and so may be that of the parent.
    """
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def resident_bytes(pid: int | None = None) -> int:
    """The resident set of a process now, in bytes: this one, or another; 0 where nobody tells."""
    return _status("VmRSS", pid)


def _status(name: str, pid: int | None = None) -> int:
    """A line of the status of a process, in bytes; 0 where there is none."""
    path = Path("/proc", "self" if pid is None else str(pid), "status")
    try:
        found = re.search(rf"^{name}:\s*(\d+) kB", path.read_text(), re.MULTILINE)
    except OSError:
        found = None
    return 0 if found is None else int(found[1]) * 1024
