"""llama.cpp on the same GGUF file, in a process of its own.

It comes with the package ``llama-cpp-python``, whose low-level interface
:mod:`pyhades.bench.rivals.llama_cpp_worker` calls.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pyhades import _native
from pyhades.bench.llm import PREFILL_PASSES, Effort, Measurement
from pyhades.bench.llm_batch import BATCHES, PROMPT_TOKENS, STEPS, BatchMeasurement
from pyhades.bench.process import EngineProcess
from pyhades.errors import ArgumentError, ConfigurationError

NAME = "llama.cpp"
_PACKAGE = "llama-cpp-python"
_UNTIMED = 2


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
    _check(model)
    most = max([*effort.prefills, *(d + effort.decode_tokens for d in effort.depths)])
    rows = []
    for count in threads:
        with _start(model, count, most) as process:
            for row in _rows(process, count, effort):
                report(row)
                rows.append(row)
    return rows


def measure_batches(
    model: Path,
    threads: Sequence[int] = (1,),
    batches: Sequence[int] = BATCHES,
    steps: int = STEPS,
    *,
    report: Callable[[BatchMeasurement], None] = lambda measurement: None,
) -> list[BatchMeasurement]:
    """Measure answers written together, as :func:`pyhades.bench.llm_batch.measure` does.

    Steps end with the logits of every answer: choosing tokens is not measured.

    Parameters
    ----------
    model
        A GGUF file.
    threads
        Numbers of threads, one after the other.
    batches
        Numbers of answers.
    steps
        Measured for each, after two that are not.
    report
        Called with each row as soon as it is there.

    Returns
    -------
    list of BatchMeasurement
        Rows of the engine ``"llama.cpp"``, without what only our own engine tells.

    Raises
    ------
    ArgumentError
        There is no such file.
    ConfigurationError
        The package is not installed.
    PyhadesError
        The engine's process ended; says what it wrote last.
    """
    _check(model)
    tokens_each = PROMPT_TOKENS + _UNTIMED + steps
    rows = []
    for count in threads:
        with _start(model, count, max(batches) * tokens_each, max(batches)) as process:
            one = None
            for batch in batches:
                seconds = process.ask(answers=batch, read=PROMPT_TOKENS, tokens=_UNTIMED + steps)
                taken = seconds["seconds"][_UNTIMED:]
                median = float(np.median(taken))
                one = one or 1 / median
                rows.append(
                    BatchMeasurement(
                        NAME, process.facts["precision"], count, batch,
                        tok_s=batch / median,
                        times_one=batch / median / one,
                        step_ms_p50=median * 1e3,
                        step_ms_p90=float(np.percentile(taken, 90) * 1e3),
                        peak_rss_gb=process.ask()["peak_rss_gb"],
                    )
                )  # fmt: skip
                report(rows[-1])
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


def _rows(process: EngineProcess, threads: int, effort: Effort) -> list[Measurement]:
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


def _check(model: Path) -> None:
    """That there is a file, and an engine to read it."""
    if not model.is_file():
        raise ArgumentError(f"{model}: there is no such file; {NAME} reads one GGUF file")
    version()


def _start(model: Path, threads: int, tokens: int, texts: int = 1) -> EngineProcess:
    """The engine's process, with room for so many tokens of so many texts."""
    command = ["pyhades.bench.rivals.llama_cpp_worker", str(model), "--threads", str(threads)]
    command += ["--context", str(tokens + 256), "--texts", str(texts)]
    return EngineProcess(NAME, command, last_lines=3)
