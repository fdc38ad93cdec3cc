"""``pyhades serve`` in a process of its own."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.support.served import until

ROOT = Path(__file__).parents[2]


@dataclass
class Child:
    """A server that is one's own.

    Attributes
    ----------
    url
        Without ``/v1``.
    """

    process: subprocess.Popen[bytes]
    log_file: IO[bytes]
    url: str = ""

    def log(self) -> str:
        """What it has written so far."""
        return Path(self.log_file.name).read_text(encoding="utf-8")

    def exit_code(self, seconds: float = 600.0) -> int:
        """How it ended, waiting for it."""
        return self.process.wait(seconds)


@contextlib.contextmanager
def child_server(*arguments: str, is_ready: bool = True) -> Iterator[Child]:
    """``pyhades serve`` with arguments, at a port that is free; killed at the end if need be."""
    command = [sys.executable, "-m", "pyhades", "serve", "--port", "0", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT, env=environment)
        child = Child(process, log)
        try:
            if is_ready:
                until(lambda: "ready: " in child.log() or process.poll() is not None, 600)
                found = re.search(r"listening at (\S+);", child.log())
                assert found, child.log()
                child.url = found.group(1)
            yield child
        finally:
            process.kill()
            process.wait()
