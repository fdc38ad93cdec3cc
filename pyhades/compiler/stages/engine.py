"""What all the stages of one program share."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from pyhades.options import EngineOptions

if TYPE_CHECKING:
    from pyhades.compiler.stages.stage import Stage

STAGES_KEPT = 16
"""Stages that are kept for each place of a network, the last used ones."""


class Shelf:
    """Stages that have been compiled, as many as are kept; the least recently used one goes.

    Another thread may be running it, so it is dropped and not closed.
    """

    def __init__(self) -> None:
        self._stages: OrderedDict[Hashable, Stage] = OrderedDict()
        self._places: set[str] = set()
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> Stage | None:
        """The stage that was kept for ``key``."""
        with self._lock:
            stage = self._stages.get(key)
            if stage is not None:
                self._stages.move_to_end(key)
            return stage

    def keep(self, key: Hashable, stage: Stage) -> None:
        """Keep a stage."""
        with self._lock:
            self._stages[key] = stage
            self._places.add(stage.place)
            while len(self._stages) > STAGES_KEPT * len(self._places):
                self._stages.popitem(last=False)

    def all(self) -> list[Stage]:
        """What is kept, by place."""
        with self._lock:
            return sorted(self._stages.values(), key=lambda stage: stage.order)

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._stages.clear()


class Engine:
    """How stages are compiled, those that are kept, and whether runs are to go on.

    Parameters
    ----------
    options
        Threads and tier.
    arguments
        Of :func:`pyhades.compile`.
    names
        What identifies the constants of the graph, by the id of their data.
    """

    def __init__(
        self, options: EngineOptions, arguments: Mapping[str, Any], names: Mapping[int, str]
    ) -> None:
        self.options = options
        self.arguments = arguments
        self.names = names
        self.shelf = Shelf()
        self.compiling = threading.Lock()
        self.cancellations = 0
        self.is_closed = False
