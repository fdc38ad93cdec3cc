"""What every step of a scheduler takes, with what it does between two of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from pyhades.llm.engine.scheduler import Scheduler


class Steps:
    """Takes the time of steps as long as it is entered.

    Attributes
    ----------
    seconds
        Of each step; what is done for answers that have ended counts with the step before.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self.seconds: list[float] = []
        self._scheduler: Any = scheduler

    def __enter__(self) -> Steps:
        step, drop = self._scheduler.step, self._scheduler.drop
        self._scheduler.step = self._timed(step, self.seconds.append)
        self._scheduler.drop = self._timed(drop, self._add_to_last)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        del self._scheduler.step, self._scheduler.drop

    def _add_to_last(self, seconds: float) -> None:
        if self.seconds:
            self.seconds[-1] += seconds

    @staticmethod
    def _timed(call: Callable[..., Any], told: Callable[[float], object]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(*arguments)
            finally:
                told(time.perf_counter() - began)

        return timed
