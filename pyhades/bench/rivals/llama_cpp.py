"""llama.cpp on the same GGUF file, in a process of its own.

It comes with the package ``llama-cpp-python``, whose low-level interface
:mod:`pyhades.bench.rivals.llama_cpp_worker` calls.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from pyhades import _native
from pyhades.bench.llm import PREFILL_PASSES, Effort, Measurement
from pyhades.errors import ArgumentError, ConfigurationError, PyhadesError

NAME = "llama.cpp"
_PACKAGE = "llama-cpp-python"


def measure(
    model: Path,
    threads: Sequence[int] = (1,),
    effort: Effort | None = None,
    *,
    report: Callable[[Measurement], None] = lambda measurement: None,
) -> list[Measurement]:
    """Measure decoding at depths and reading of prompts as :func:`pyhades.bench.llm.measure` does.

    Parameters
    ----------
    model
        A GGUF file.
    threads
        Numbers of threads, one after the other.
    effort
        How much of each.
    report
        Called with each row as soon as it is there.

    Returns
    -------
    list of Measurement
        Rows of the engine ``"llama.cpp"``.

    Raises
    ------
    ArgumentError
        There is no such file.
    ConfigurationError
        The package is not installed.
    PyhadesError
        The engine's process ended; says what it wrote last.
    """
    effort = effort or Effort()
    if not model.is_file():
        raise ArgumentError(f"{model}: there is no such file; {NAME} reads one GGUF file")
    version()
    rows = []
    for count in threads:
        with _Process(model, count, effort) as process:
            for row in _rows(process, count, effort):
                report(row)
                rows.append(row)
    return rows


def version() -> str:
    """Which package the engine comes from.

    Raises
    ------
    ConfigurationError
        It is not installed.
    """
    if importlib.util.find_spec("llama_cpp") is None:
        raise ConfigurationError(f"{NAME} is not installed; pip install {_PACKAGE}")
    return f"{_PACKAGE} {importlib.metadata.version('llama_cpp_python')}"


def _rows(process: _Process, threads: int, effort: Effort) -> list[Measurement]:
    precision = process.facts["precision"]

    def bandwidth() -> float:
        return _native.measure_bandwidth_gbs(None, threads, effort.bandwidth_bytes)

    rows = []
    for depth in effort.depths:
        before = bandwidth()
        seconds = process.ask(depth=depth, tokens=effort.decode_tokens)["seconds"]
        p50, p90, p99 = np.percentile(seconds, [50, 90, 99])
        rows.append(
            Measurement(
                "decode", NAME, precision, threads, depth,
                decode_tok_s=float(1 / p50),
                decode_tok_s_min=1 / max(seconds),
                decode_tok_s_max=1 / min(seconds),
                itl_ms_p50=float(p50 * 1e3),
                itl_ms_p90=float(p90 * 1e3),
                itl_ms_p99=float(p99 * 1e3),
                peak_rss_gb=process.ask()["peak_rss_gb"],
                bandwidth_gb_s=(before + bandwidth()) / 2,
            )
        )  # fmt: skip
    for size in effort.prefills:
        times = [process.ask(prompt=size)["seconds"] for _ in range(PREFILL_PASSES)]
        rows.append(
            Measurement(
                "prefill", NAME, precision, threads, 0,
                prefill_tokens=size,
                prefill_tok_s=size / float(np.median(times)),
                peak_rss_gb=process.ask()["peak_rss_gb"],
            )
        )  # fmt: skip
    return rows


class _Process:
    """The worker: a line of JSON for each line of JSON."""

    def __init__(self, model: Path, threads: int, effort: Effort) -> None:
        most = max([*effort.prefills, *(d + effort.decode_tokens for d in effort.depths)])
        command = [sys.executable, "-m", "pyhades.bench.rivals.llama_cpp_worker", str(model)]
        command += ["--threads", str(threads), "--context", str(most + 256)]
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115  (a pipe may fill up)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._messages,
            text=True,
        )
        self.facts = self._answer()

    def ask(self, **question: Any) -> dict[str, Any]:
        """Ask one thing; see the worker for what may be asked."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the missing answer says why
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._messages.seek(0)
            tail = self._messages.read().decode(errors="replace").strip().splitlines()[-3:]
            raise PyhadesError(f"{NAME} ended: {' / '.join(tail) or 'no message'}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> _Process:
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
