"""A busy neighbour: one process that competes for one core while something is measured."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType

from pyhades.errors import PyhadesError

# Ends by itself when whoever started it is gone, which no `finally` survives if it was killed.
_BUSY = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
parent = int(sys.argv[2])
print("busy", flush=True)
while os.getppid() == parent:
    for _ in range(100_000):
        pass
"""


class Disturbance:
    """Runs a busy process on ``cpu`` between enter and exit; may be entered again afterwards.

    Raises
    ------
    PyhadesError
        The process did not start, or ended before the measurement did.

    Examples
    --------
    >>> with Disturbance(disturbed_cpu()) as neighbour:
    ...     neighbour.pid > 0
    True
    """

    def __init__(self, cpu: int) -> None:
        self.cpu = cpu
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        """Of the busy process, 0 when there is none."""
        return self._process.pid if self._process is not None else 0

    def __str__(self) -> str:
        return f"one busy process on CPU {self.cpu}"

    def __enter__(self) -> Disturbance:
        command = [sys.executable, "-S", "-c", _BUSY, str(self.cpu), str(os.getpid())]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            assert self._process.stdout is not None
            if self._process.stdout.readline() != "busy\n":
                raise self._complaint("did not start")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process is not None
        try:
            if kind is None and self._process.poll() is not None:
                raise self._complaint("ended before the measurement did")
        finally:
            self._end()

    def _complaint(self, what: str) -> PyhadesError:
        assert self._process is not None and self._process.stderr is not None
        self._process.kill()
        tail = self._process.stderr.read().strip().splitlines()[-1:]
        return PyhadesError(f"the competing process on CPU {self.cpu} {what}: {' '.join(tail)}")

    def _end(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        self._process = None


def disturbed_cpu() -> int:
    """The CPU that a disturbance is pinned to: the last that this process may use."""
    return max(os.sched_getaffinity(0))


def beside(neighbour: Disturbance | None) -> contextlib.AbstractContextManager[object]:
    """``neighbour``, or nobody: what a measurement runs inside."""
    return contextlib.nullcontext() if neighbour is None else neighbour


def neighbours(disturb: bool) -> tuple[Disturbance | None, ...]:
    """Beside whom to measure, in turn: nobody, and a busy process where that is asked for."""
    return (None, Disturbance(disturbed_cpu())) if disturb else (None,)


def describe_disturbance(around: Sequence[Disturbance | None]) -> dict[str, str]:
    """What competed with the rows that say ``disturbed``, for the description of the machine."""
    names = [str(neighbour) for neighbour in around if neighbour is not None]
    return {"disturbed_by": ", ".join(names)} if names else {}
