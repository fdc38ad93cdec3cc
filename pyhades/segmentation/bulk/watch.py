"""A folder that somebody puts pictures into."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from pyhades.segmentation.bulk.picture import Picture, Stamp
from pyhades.segmentation.bulk.sources.tree import Tree


class Watched:
    """Pictures of a folder, as they come and as they change.

    A file is taken once two looks have found it with the same size and the same time: who writes it
    has finished. Looking works everywhere, also where changes come over a network; what it costs is
    a walk through the folder.

    Parameters
    ----------
    tree
        The folder.
    seconds
        Between two looks.
    """

    def __init__(self, tree: Tree, seconds: float) -> None:
        self._tree = tree
        self._seconds = seconds
        self._stopped = threading.Event()
        self.holds: Callable[[Path], bool] = tree.holds

    def __iter__(self) -> Iterator[Picture]:
        seen: dict[str, Stamp | None] = {}
        given: dict[str, Stamp | None] = {}
        while True:
            now: dict[str, Stamp | None] = {}
            for picture in self._tree:
                key, stamp = picture.key, picture.stamp
                now[key] = stamp
                is_settled = key in seen and seen[key] == stamp
                if is_settled and (key not in given or given[key] != stamp):
                    given[key] = stamp
                    yield picture
            # What is gone and comes again is new.
            given = {key: stamp for key, stamp in given.items() if key in now}
            seen = now
            if self._stopped.wait(self._seconds):
                return

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
