"""llama.cpp's own server on the same GGUF file, with the settings of ours."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pyhades.bench.serve.servers import HOST, ServerProcess
from pyhades.errors import ArgumentError, ConfigurationError

NAME = "llama.cpp"
VARIABLE = "PYHADES_LLAMA_SERVER"
_PROGRAM = "llama-server"
_ONCE = {"LLAMA_ARG_LOAD_MODE": "none"}
"""The file is read, not mapped: packed weights are in memory once then, as ours are, not twice."""


def find(path: str | None = None) -> str:
    """The program: at ``path``, where the environment says, or where programs are.

    Raises
    ------
    ConfigurationError
        There is none.
    """
    named = path or os.environ.get(VARIABLE) or _PROGRAM
    found = shutil.which(named)
    if found is None:
        raise ConfigurationError(
            f"{named}: there is no such program; build {_PROGRAM} of llama.cpp, and name it by "
            f"--llama-server or {VARIABLE}"
        )
    return found


def version(program: str) -> str:
    """What the program says that it is."""
    said = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=False, timeout=60
    )
    found = re.search(r"^version: (.+)$", said.stdout + said.stderr, re.MULTILINE)
    return found[1] if found else "of unknown version"


def start(
    program: str,
    model: Path,
    *,
    threads: int,
    texts: int,
    tokens: int,
    patience: float = 600,
    cpus: Sequence[int] = (),
) -> ServerProcess:
    """Run it: as many answers at once as there are clients, in one memory for all.

    Parameters
    ----------
    program
        From :func:`find`.
    model
        A GGUF file.
    threads
        For prompts and answers.
    texts
        Answers at once.
    tokens
        Of all of them together, prompts included.
    patience
        Seconds in which it has to be ready.
    cpus
        Where it may run; anywhere if empty.

    Raises
    ------
    ArgumentError
        There is no such file.
    PyhadesError
        It ended, or is not ready in time; says what it wrote last.
    """
    if not model.is_file():
        raise ArgumentError(f"{model}: there is no such file; {NAME} reads one GGUF file")
    command = [
        program, "--model", str(model), "--host", HOST, "--port", "{port}", "--threads",
        str(threads), "--threads-batch", str(threads), "--parallel", str(texts), "--ctx-size",
        str(tokens), "--kv-unified", "--cont-batching", "--metrics",
    ]  # fmt: skip
    return ServerProcess(NAME, command, patience, cpus, _ONCE)
