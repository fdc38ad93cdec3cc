"""Language models: how fast they read and write, and how near that is to the memory's speed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pyhades import _native
from pyhades.arguments import check_count
from pyhades.bench.disturbance import (
    Disturbance,
    beside,
    describe_disturbance,
    neighbours,
)
from pyhades.bench.energy import EnergyMeter
from pyhades.bench.machine import check_threads, describe_machine
from pyhades.bench.memory import PeakMemory
from pyhades.errors import ArgumentError
from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.cache.sequences import Sequence as Text
from pyhades.llm.engine.runner import Piece, Runner
from pyhades.llm.measure.prompts import PROMPTS
from pyhades.llm.measure.traffic import bytes_per_token, operations_per_token
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.weights import ModelWeights
from pyhades.llm.text.tokenizer import Tokenizer
from pyhades.quant import to_bf16

DEPTHS = (0, 2048, 8192)
PREFILLS = (512, 2048)
PREFILL_PASSES = 3
PROMPT_LENGTHS = (8, 16, 32, 48, 64, 96, 128, 192, 256, 384)


@dataclass(frozen=True)
class Measurement:
    """One workload on one number of threads; fields without meaning for it are None."""

    workload: str
    """``"decode"``, ``"prefill"`` or ``"prompt"``."""
    engine: str
    precision: str
    threads: int
    depth: int
    """Tokens in the cache before."""
    prefill_tokens: int | None = None
    prefill_tok_s: float | None = None
    decode_tok_s: float | None = None
    decode_tok_s_min: float | None = None
    decode_tok_s_max: float | None = None
    ttft_ms: float | None = None
    itl_ms_p50: float | None = None
    itl_ms_p90: float | None = None
    itl_ms_p99: float | None = None
    peak_rss_gb: float | None = None
    bytes_per_token: int | None = None
    bandwidth_gb_s: float | None = None
    share_of_bandwidth: float | None = None
    int8_gops: float | None = None
    """What registers alone reach, where activations are int8."""
    share_of_int8_peak: float | None = None
    energy_j_per_token: float | None = None
    disturbed: bool = False
    """A busy process competed for one core; peaks and bandwidths are measured without it."""


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes
    ----------
    decode_tokens
        Per depth.
    prompt_tokens
        Written after each prompt.
    depths, prefills, prompt_lengths
        Tokens.
    bandwidth_bytes
        Read to measure the speed of the memory.
    """

    decode_tokens: int = 24
    prompt_tokens: int = 12
    depths: Sequence[int] = DEPTHS
    prefills: Sequence[int] = PREFILLS
    prompt_lengths: Sequence[int] = PROMPT_LENGTHS
    bandwidth_bytes: int = 1 << 30

    def __post_init__(self) -> None:
        for name in ("decode_tokens", "prompt_tokens", "bandwidth_bytes"):
            check_count(name, getattr(self, name))
        for name, least in (("depths", 0), ("prefills", 1), ("prompt_lengths", 1)):
            sizes = getattr(self, name)
            if not sizes:
                raise ArgumentError(f"{name} is empty: there is nothing to measure")
            for size in sizes:
                check_count(name, size, least)


QUICK = Effort(8, 4, (0, 64), (64,), (8, 32), 64 << 20)


@dataclass(frozen=True)
class Subject:
    """The model to measure. Without a tokenizer, prompts are random tokens."""

    name: str
    config: ModelConfig
    weights: ModelWeights[Any]
    tokenizer: Tokenizer | None = None
    kv_format: KvFormat = "bf16"
    isa: str | None = None


Report = Callable[[Measurement], None]


def measure(
    subject: Subject,
    threads: Sequence[int] = (1,),
    prompt: str | None = None,
    effort: Effort | None = None,
    *,
    progress: bool = True,
    disturb: bool = False,
    report: Report = lambda measurement: None,
) -> dict[str, Any]:
    """Measure a model: decoding at depths, reading of prompts, and whole prompts.

    Parameters
    ----------
    subject
        The model.
    threads
        Numbers of threads, one after the other.
    prompt
        Measured instead of the ten standard prompts.
    effort
        How much of each.
    progress
        Show a bar where standard error is a terminal.
    disturb
        Measure everything once more beside a busy process that is pinned to one core.
    report
        Called with each row as soon as it is there.

    Returns
    -------
    dict
        ``{"machine": {...}, "results": [...], "routing": {...}}``, ready for JSON; a result has the
        fields of :class:`Measurement`, plain runs before prompts.
    """
    effort = effort or Effort()
    check_threads(threads)
    peaks = {count: _native.measure_peak_gflops(subject.isa, count) for count in threads}
    plain: list[Measurement] = []
    prompts: list[Measurement] = []
    routing: dict[str, Any] = {}
    around = neighbours(disturb)
    for count in threads:
        bench = _Bench(subject, count, effort, progress)
        with contextlib.closing(bench):
            for neighbour in around:
                bench.neighbour = neighbour
                for row in bench.plain_runs():
                    plain.append(row)
                    report(row)
                routing = bench.routing()
                for row in bench.prompt_runs(prompt):
                    prompts.append(row)
                    report(row)
    machine = describe_machine(subject.isa, threads, peaks) | {"model": subject.name}
    return {
        "machine": machine | describe_disturbance(around),
        "results": [asdict(row) for row in [*plain, *prompts]],
        "routing": routing,
    }


class _Bench:
    """Everything measured with one number of threads."""

    def __init__(self, subject: Subject, threads: int, effort: Effort, progress: bool) -> None:
        self.neighbour: Disturbance | None = None
        self._subject = subject
        self._threads = threads
        self._effort = effort
        most = max([*effort.depths, *effort.prefills, *effort.prompt_lengths])
        context = most + max(effort.decode_tokens, effort.prompt_tokens) + 1024
        self._runner = Runner(
            subject.config, subject.weights, min(context, subject.config.max_position_embeddings),
            max_sequences=1, threads=threads, isa=subject.isa, kv_format=subject.kv_format,
        )  # fmt: skip
        self._random = np.random.default_rng(0)
        self._memory = PeakMemory()
        hidden = None if progress else True
        self._bar = tqdm(desc=f"{threads} threads", unit=" tokens", disable=hidden)
        _fill_cache(self._runner)

    def close(self) -> None:
        self._bar.close()
        self._runner.close()

    def plain_runs(self) -> Iterator[Measurement]:
        """Decoding at each depth, and prompts of each size."""
        self._tokens_of(self._runner.cache.sequence(), 2)  # pages, clocks
        for depth in self._effort.depths:
            yield self._decode(depth)
        for size in self._effort.prefills:
            yield self._prefill(size)

    def prompt_runs(self, prompt: str | None) -> Iterator[Measurement]:
        """Whole prompts, each read and answered."""
        for tokens in self._prompts(prompt):
            yield self._prompt(tokens)

    def routing(self) -> dict[str, Any]:
        """How evenly the last prompt's tokens were spread over the experts."""
        chosen = self._runner.chosen_experts
        experts = self._subject.config.num_local_experts
        loads = np.stack([np.bincount(layer.ravel(), minlength=experts) for layer in chosen])
        mean = loads.mean(axis=1, keepdims=True)
        return {
            "tokens": int(chosen.shape[1]),
            "experts_used_per_layer_min": int((loads > 0).sum(axis=1).min()),
            "load_over_mean_max": float((loads / mean).max()),
            "load_over_mean_deviation": float((loads / mean).std()),
        }

    def _decode(self, depth: int) -> Measurement:
        text = self._text_of(depth)
        before = self._bandwidth()
        energy = EnergyMeter()
        with beside(self.neighbour):
            seconds = self._tokens_of(text, self._effort.decode_tokens)
        joules = energy.joules()
        bandwidth = (before + self._bandwidth()) / 2
        self._runner.cache.free(text)
        s = self._subject
        needed = bytes_per_token(s.config, s.weights, depth + len(seconds) // 2, s.kv_format)
        return self._row(
            "decode", depth, seconds,
            bytes_per_token=needed,
            bandwidth_gb_s=bandwidth,
            share_of_bandwidth=needed / float(np.median(seconds)) / bandwidth / 1e9,
            energy_j_per_token=None if joules is None else joules / len(seconds),
        )  # fmt: skip

    def _prefill(self, size: int) -> Measurement:
        times, peaks = [], [self._int8_gops()]
        for _ in range(PREFILL_PASSES):
            text = self._runner.cache.sequence()
            with beside(self.neighbour):
                times.append(self._read(text, self._ids(size)))
            self._runner.cache.free(text)
            peaks.append(self._int8_gops())
        seconds, peak = float(np.median(times)), float(np.median(peaks))
        operations = operations_per_token(self._subject.config) * size
        is_int8 = peak > 0 and self._subject.weights.precision != "exact"
        return self._row(
            "prefill", 0, [], prefill_tokens=size, prefill_tok_s=size / seconds,
            int8_gops=peak if is_int8 else None,
            share_of_int8_peak=operations / seconds / peak / 1e9 if is_int8 else None,
        )  # fmt: skip

    def _prompt(self, tokens: list[int]) -> Measurement:
        text = self._runner.cache.sequence()
        with beside(self.neighbour):
            first = self._read(text, tokens)
            seconds = self._tokens_of(text, self._effort.prompt_tokens)
        self._runner.cache.free(text)
        return self._row(
            "prompt", 0, seconds, prefill_tokens=len(tokens), prefill_tok_s=len(tokens) / first,
            ttft_ms=first * 1e3,
        )  # fmt: skip

    def _row(
        self, workload: str, depth: int, seconds: Sequence[float], **fields: Any
    ) -> Measurement:
        if seconds:
            p50, p90, p99 = np.percentile(seconds, [50, 90, 99])
            fields |= {
                "decode_tok_s": float(1 / p50),
                "decode_tok_s_min": 1 / max(seconds),
                "decode_tok_s_max": 1 / min(seconds),
                "itl_ms_p50": float(p50 * 1e3),
                "itl_ms_p90": float(p90 * 1e3),
                "itl_ms_p99": float(p99 * 1e3),
            }
        return Measurement(
            workload, "pyhades", self._subject.weights.precision, self._threads, depth,
            peak_rss_gb=self._memory.nbytes() / 1e9, disturbed=self.neighbour is not None, **fields,
        )  # fmt: skip

    def _prompts(self, prompt: str | None) -> list[list[int]]:
        tokenizer = self._subject.tokenizer
        if tokenizer is None:
            return [self._ids(length) for length in self._effort.prompt_lengths]
        texts = PROMPTS if prompt is None else (prompt,)
        return [tokenizer.encode(text) for text in texts]

    def _text_of(self, depth: int) -> Text:
        """A sequence of that length, with what the cache happens to hold."""
        cache = self._runner.cache
        text = cache.sequence()
        for first in range(0, depth, self._runner.limits.tokens):
            cache.append(text, min(self._runner.limits.tokens, depth - first))
            cache.forget(text)
        return text

    def _read(self, text: Text, tokens: list[int]) -> float:
        """Seconds until the first logits after ``tokens``."""
        step = self._runner.limits.tokens
        began = time.perf_counter()
        for first in range(0, len(tokens), step):
            piece = tokens[first : first + step]
            self._runner.run([Piece(text, piece, int(first + step >= len(tokens)))])
            self._bar.update(len(piece))
        return time.perf_counter() - began

    def _tokens_of(self, text: Text, count: int) -> list[float]:
        """Seconds of each of ``count`` tokens, written one after the other."""
        seconds = []
        for token in self._ids(count):
            began = time.perf_counter()
            self._runner.run([Piece(text, [token], 1)])
            seconds.append(time.perf_counter() - began)
            self._bar.update(1)
        return seconds

    def _ids(self, count: int) -> list[int]:
        ids: list[int] = self._random.integers(0, self._subject.config.vocab_size, count).tolist()
        return ids

    def _int8_gops(self) -> float:
        return _native.measure_peak_int8_gops(self._subject.isa, self._threads)

    def _bandwidth(self) -> float:
        with self._memory.uncounted():
            return _native.measure_bandwidth_gbs(
                self._subject.isa, self._threads, self._effort.bandwidth_bytes
            )


def _fill_cache(runner: Runner) -> None:
    """Numbers like those of real keys and values all over the cache: depth costs nothing."""
    values = np.random.default_rng(1).standard_normal(1 << 16).astype(np.float32)
    pattern: NDArray[np.uint8] = to_bf16(values).view(np.uint8)
    if runner.cache.kv_format == "int8":
        pattern = np.ones(1 << 17, np.uint8)  # ones as values, tiny ones as scales
    for pool in runner.cache.pools.values():
        for layer in pool.memory:
            for first in range(0, layer.size, pattern.size):
                piece = layer[first : first + pattern.size]
                piece[:] = pattern[: piece.size]
