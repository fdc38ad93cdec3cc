"""An engine in a process of its own, so that its memory and its threads are nobody else's."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from pyhades.errors import PyhadesError


class EngineEndedError(PyhadesError):
    """A worker has ended without an answer.

    Parameters
    ----------
    name
        Of the engine.
    said
        What the worker wrote last.
    """

    def __init__(self, name: str, said: str) -> None:
        super().__init__(f"{name} ended: {said or 'no message'}")
        self.said = said


class EngineProcess:
    """A worker that answers each line of JSON with one, after a first with what it is.

    Parameters
    ----------
    name
        Of the engine, for messages.
    command
        The worker's module and its arguments, what follows ``python -m``.
    last_lines
        Of what the worker wrote, told where it ends without an answer.

    Attributes
    ----------
    facts
        The worker's first answer.

    Raises
    ------
    EngineEndedError
        The process ended; says what it wrote last.
    """

    def __init__(self, name: str, command: Sequence[str], last_lines: int = 1) -> None:
        self._name, self._last_lines = name, last_lines
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115  (a pipe may fill up)
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._messages,
            text=True,
        )
        self.facts = self._answer()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def ask(self, **question: Any) -> dict[str, Any]:
        """Ask one thing; see the worker for what may be asked."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the missing answer says why
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        return self._answer()

    def finish(self) -> dict[str, Any]:
        """End the process, which answers once more."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        answer = self._answer()
        self._process.wait()
        return answer

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._messages.seek(0)
            written = self._messages.read().decode(errors="replace").strip().splitlines()
            tail = " / ".join(written[-self._last_lines :])
            raise EngineEndedError(self._name, tail)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._messages):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
