"""A model under load: requests that come and leave at random, and what becomes of them.

Whatever the company, an answer must have the tokens that it has alone, every block must come back,
and the memory must not grow.
"""

from __future__ import annotations

import random
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from pyhades import _native
from pyhades.bench.llm import Subject
from pyhades.bench.machine import check_threads, describe_machine
from pyhades.bench.memory import resident_bytes
from pyhades.llm.engine.sampling import SamplingParams
from pyhades.llm.llm import LLM

CLIENTS = 8
KINDS = 12
"""Different requests: each is asked alone before, so that its answer is known."""
LONG_PROMPT = 2000
ABORTED = 0.2
"""Share of the streams that are left before their end."""


@dataclass(frozen=True)
class LoadMeasurement:
    """What became of the requests on one number of threads."""

    precision: str
    threads: int
    seconds: float
    requests: int
    aborted: int
    wrong: int
    """Answers that were not the same as alone."""
    stuck: int
    """Streams that had not ended a minute after the last request."""
    lost_blocks: int
    preemptions: int
    prompt_tok_s: float
    tok_s: float
    ttft_ms_p50: float
    ttft_ms_p99: float
    itl_ms_p50: float
    itl_ms_p99: float
    outside_kernels: float
    rss_drift: float
    """Growth of the resident memory between a quarter of the time and the end, as a share."""

    def __str__(self) -> str:
        return (
            f"{self.threads} threads: {self.requests} requests ({self.aborted} left early) in "
            f"{self.seconds:.0f} s, {self.wrong} wrong, {self.stuck} stuck, {self.lost_blocks} "
            f"blocks lost, {self.preemptions} preemptions; {self.prompt_tok_s:.1f} tokens/s read, "
            f"{self.tok_s:.1f} written; first token {self.ttft_ms_p50:.0f} ms (p99 "
            f"{self.ttft_ms_p99:.0f}), between tokens {self.itl_ms_p50:.1f} ms (p99 "
            f"{self.itl_ms_p99:.1f}); {self.outside_kernels:.1%} outside kernels, memory "
            f"{self.rss_drift:+.1%}"
        )


@dataclass
class _Kind:
    """A request, and the tokens that it has when nobody else asks."""

    prompt: list[int]
    params: SamplingParams
    expected: list[tuple[int, ...]] = field(default_factory=list)


@dataclass
class _Tally:
    """What the clients saw."""

    requests: int = 0
    aborted: int = 0
    wrong: int = 0
    prompt_tokens: int = 0
    tokens: int = 0
    # Not lists of numbers, whose megabytes would pass for those of the model.
    first: array[float] = field(default_factory=lambda: array("d"))
    between: array[float] = field(default_factory=lambda: array("d"))
    lock: threading.Lock = field(default_factory=threading.Lock)


def measure(
    subject: Subject,
    threads: Sequence[int] = (1,),
    seconds: float = 60.0,
    *,
    clients: int = CLIENTS,
    max_sequences: int = 32,
    kv_memory: int | None = None,
    prefix_cache: bool = False,
    report: Callable[[LoadMeasurement], object] = lambda measurement: None,
) -> dict[str, Any]:
    """Let clients ask for some time, each one request after the other.

    Parameters
    ----------
    subject
        The model.
    threads
        Numbers of threads, one after the other.
    seconds
        For how long requests come.
    clients
        How many ask at once.
    max_sequences, kv_memory
        As in :class:`pyhades.LLM`.
    prefix_cache
        As there; with it, hardly a prompt has to be read, since there are few of them.
    report
        Called with each row as soon as it is there.

    Returns
    -------
    dict
        ``{"machine": {...}, "results": [...]}``, ready for JSON; a result has the fields of
        :class:`LoadMeasurement`.
    """
    check_threads(threads)
    rows = []
    for count in threads:
        context = min(LONG_PROMPT + 256, subject.config.max_position_embeddings)
        with LLM.from_weights(
            subject.config, subject.weights, subject.tokenizer, threads=count, isa=subject.isa,
            context_length=context, max_sequences=max_sequences, kv_format=subject.kv_format,
            kv_memory=kv_memory, prefix_cache=prefix_cache, name=subject.name,
        ) as llm:  # fmt: skip
            row = _load(llm, seconds, clients)
        rows.append(row)
        report(row)
    peaks = {count: _native.measure_peak_gflops(subject.isa, count) for count in threads}
    machine = describe_machine(subject.isa, threads, peaks) | {"model": subject.name}
    return {"machine": machine, "results": [asdict(row) for row in rows]}


def _load(llm: LLM, seconds: float, clients: int) -> LoadMeasurement:
    kinds = _kinds(llm)
    scheduler = llm.engine.scheduler
    steps_before = scheduler.seconds_in_model, scheduler.seconds
    tally = _Tally()
    began = time.monotonic()
    end = began + seconds
    askers = [
        threading.Thread(target=_ask, args=(llm, kinds, tally, end, number), daemon=True)
        for number in range(clients)
    ]
    for asker in askers:
        asker.start()
    time.sleep(seconds / 4)
    settled = resident_bytes()
    deadline = end + 60
    for asker in askers:
        asker.join(max(deadline - time.monotonic(), 0))
    took = time.monotonic() - began
    drift = resident_bytes() / settled - 1
    in_model = scheduler.seconds_in_model - steps_before[0]
    return LoadMeasurement(
        llm.precision, llm.threads, took, tally.requests, tally.aborted, tally.wrong,
        stuck=sum(asker.is_alive() for asker in askers),
        lost_blocks=_lost_blocks(llm),
        preemptions=scheduler.preemptions,
        prompt_tok_s=tally.prompt_tokens / took,
        tok_s=tally.tokens / took,
        ttft_ms_p50=_percentile(tally.first, 50),
        ttft_ms_p99=_percentile(tally.first, 99),
        itl_ms_p50=_percentile(tally.between, 50),
        itl_ms_p99=_percentile(tally.between, 99),
        outside_kernels=1 - in_model / max(scheduler.seconds - steps_before[1], 1e-9),
        rss_drift=drift,
    )  # fmt: skip


def _kinds(llm: LLM) -> list[_Kind]:
    """Short and long prompts, one to three answers, greedy and not; with what they give alone."""
    dice = np.random.default_rng(0)
    room = llm.context_length
    lengths = [8, 20, 50, 100, 200, 400, min(LONG_PROMPT, room - 64)]
    kinds = []
    for number in range(KINDS):
        length = min(lengths[number % len(lengths)], room - 64)
        prompt = dice.integers(0, llm.config.vocab_size, length).tolist()
        params = SamplingParams(
            seed=number, max_tokens=int(dice.integers(4, 48)), ignore_eos=True,
            temperature=float(number % 3 > 0), top_p=0.9 if number % 2 else 1.0,
            n=1 + (number % 4 == 3),
        )  # fmt: skip
        kind = _Kind(prompt, params)
        completions = llm.generate(prompt, params).completions
        kind.expected = [completion.token_ids for completion in completions]
        kinds.append(kind)
    return kinds


def _ask(llm: LLM, kinds: Sequence[_Kind], tally: _Tally, end: float, client: int) -> None:
    dice = random.Random(client)
    while time.monotonic() < end:
        kind = dice.choice(kinds)
        stop_after = dice.randrange(1, 12) if dice.random() < ABORTED else None
        _stream(llm, kind, tally, stop_after)
        time.sleep(dice.random() * 0.02)


def _stream(llm: LLM, kind: _Kind, tally: _Tally, stop_after: int | None) -> None:
    """One request, read to its end or left after so many tokens."""
    tokens: list[list[int]] = [[] for _ in kind.expected]
    times: list[list[float]] = [[] for _ in kind.expected]
    began = time.monotonic()
    for delta in llm.stream([kind.prompt], kind.params):
        tokens[delta.index] += delta.token_ids
        times[delta.index].append(time.monotonic())
        if stop_after is not None and len(tokens[0]) >= stop_after:
            break
    with tally.lock:
        tally.requests += 1
        tally.aborted += stop_after is not None
        for got, expected in zip(tokens, kind.expected, strict=True):
            known = expected if stop_after is None else expected[: len(got)]
            tally.wrong += tuple(got) != known
        tally.prompt_tokens += len(kind.prompt)
        tally.tokens += sum(map(len, tokens))
        tally.first.extend(moments[0] - began for moments in times if moments)
        for moments in times:
            tally.between.extend(np.diff(moments))


def _lost_blocks(llm: LLM) -> int:
    """Blocks that are held though nobody asks any more."""
    cache = llm.engine.runner.cache
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        lost = sum(pool.blocks - pool.free_blocks for pool in cache.pools.values())
        if not lost:
            break
        time.sleep(0.01)
    return lost


def _percentile(seconds: Sequence[float], share: float) -> float:
    """In milliseconds; 0 of nothing."""
    return float(np.percentile(seconds, share) * 1e3) if seconds else 0.0
