"""What went wrong on a disk: counted every time, told once."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from pathlib import Path

log = logging.getLogger(__name__)


class Troubles:
    """Counts of a folder, and which of its troubles have been told.

    Examples
    --------
    >>> from pathlib import Path
    >>> troubles = Troubles(Path("cache"))
    >>> troubles.count("hits")
    >>> troubles["hits"], troubles["skipped"]
    (1, 0)
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._counts: Counter[str] = Counter()
        self._told: set[str] = set()
        self.after_fork()

    def after_fork(self) -> None:
        """The lock may be held by a thread that there is no more."""
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def count(self, name: str, times: int = 1) -> None:
        """Something happened."""
        with self._lock:
            self._counts[name] += times

    def damaged(self, path: Path, why: object, times: int = 1) -> None:
        """Something is not what was written; it is not used."""
        self.count("damaged", times)
        self.tell("damaged", f"{path}: {why}; what is damaged is left out and computed again")

    def skipped(self, why: object) -> None:
        """A record could not be kept."""
        self.count("skipped")
        self.tell("skipped", f"{self.folder}: the cache on disk does not grow: {why}")

    def tell(self, about: str, message: str) -> None:
        """Warn, unless that was done."""
        with self._lock:
            is_new = about not in self._told
            self._told.add(about)
        if is_new:
            log.warning("%s (more of it is counted, not told)", message)
