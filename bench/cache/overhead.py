"""What the cache costs where it brings nothing: prompts without hits, and writing answers through.

``python -m bench.cache.overhead`` reads prompts that nobody has asked before and writes answers,
with no cache, with the tree in memory (whose room is so small that every prompt displaces the last
ones), with a level in memory below it, and with one on disk. All kinds take turns, so that what
changes about the machine changes for all of them.

Ratios of times tell little where they differ by less than the machine from run to run. So the cost
is counted as well: what the thread of the model spends in the cache, beyond what it does without
one, and the processor time of the thread that writes, which takes it from one of the kernels'.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pyhades.bench.machine import describe_machine
from pyhades.config import thread_count
from pyhades.llm.cache.codec import codec_of
from pyhades.llm.cache.disk.level import DiskLevel
from pyhades.llm.cache.kv_cache import KvCache
from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.memory import MemoryLevel
from pyhades.llm.cache.sizes import cached_bytes_per_token
from pyhades.llm.checkpoint.locating import toy_model
from pyhades.llm.engine.request import Request
from pyhades.llm.engine.runner import Runner
from pyhades.llm.engine.sampling import SamplingParams
from pyhades.llm.engine.scheduler import Scheduler
from pyhades.llm.engine.step_costs import StepCosts
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models import open_checkpoint
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.gpt_oss.sizes import gpt_oss_config
from pyhades.llm.models.layers import CACHE_BLOCK
from pyhades.llm.precision.loading import load_weights

ROOM = 1 << 30
"""Of either level below."""
FLUSH_SECONDS = 60.0


@dataclass
class Work:
    """What is measured: prompts and answers of so many tokens."""

    prompt: int
    answer: int


@dataclass
class Times:
    """Of prompts, or of the steps of answers, in seconds per round."""

    wall: list[float] = field(default_factory=list)
    engine: list[float] = field(default_factory=list)
    """Spent in calls to the cache."""
    writer: list[float] = field(default_factory=list)
    """Of the processor, also of what was still to be written at the end."""

    def forget(self) -> None:
        """What came first is slower: pages, clocks, buffers."""
        for times in (self.wall, self.engine, self.writer):
            times.clear()


class Kind:
    """A model with a kind of cache."""

    def __init__(self, name: str, runner: Runner, levels: Levels | None) -> None:
        self.name = name
        self.scheduler = Scheduler(runner, StepCosts([1], [1e-9]))
        self.levels = levels
        self.prefill, self.decode = Times(), Times()
        self._meter = Meter(runner.cache)

    def round(self, prompt: list[int], work: Work) -> None:
        """Read a prompt and go; then read its first tokens alone, and write an answer."""
        with self._measured(self.prefill):
            self._add(prompt, 1)
            self._finish()
        self._add(prompt[: 2 * CACHE_BLOCK][::-1], work.answer)
        self.scheduler.step()
        with self._measured(self.decode):
            self._finish()

    @contextmanager
    def _measured(self, times: Times) -> Iterator[None]:
        engine, writer = self._meter.seconds, self._writer_seconds()
        began = time.perf_counter()
        yield
        times.wall.append(time.perf_counter() - began)
        times.engine.append(self._meter.seconds - engine)
        assert self.levels is None or self.levels.flush(FLUSH_SECONDS)
        times.writer.append(self._writer_seconds() - writer)

    def _writer_seconds(self) -> float:
        thread = None if self.levels is None else self.levels.writing_thread
        if thread is None or thread.ident is None:
            return 0.0
        return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))

    def _add(self, prompt: list[int], most: int) -> None:
        params = SamplingParams(temperature=0.0, ignore_eos=True)
        self.scheduler.add(Request(0, tuple(prompt), params, most, frozenset()))

    def _finish(self) -> None:
        while self.scheduler.has_work:
            events = self.scheduler.step()
            assert all(event.error is None for event in events)
            self.scheduler.drop([e.answer for e in events if e.answer.finish_reason is not None])


class Meter:
    """The time that is spent in calls to a cache, those from within it counted once."""

    def __init__(self, cache: KvCache) -> None:
        self.seconds = 0.0
        self._is_inside = False
        for name in ("address", "begin", "append", "follow", "free", "order", "take_in"):
            setattr(cache, name, self._metered(getattr(cache, name)))
        if cache.prefixes is not None:
            cache.prefixes.look_up = self._metered(cache.prefixes.look_up)  # type: ignore[method-assign]

    def _metered(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def metered(*arguments: Any, **options: Any) -> Any:
            if self._is_inside:
                return call(*arguments, **options)
            self._is_inside, began = True, time.perf_counter()
            try:
                return call(*arguments, **options)
            finally:
                self.seconds += time.perf_counter() - began
                self._is_inside = False

        return metered


def toy() -> tuple[ModelConfig, Any, Work]:
    """Steps are so short that everything around them shows."""
    opened = open_checkpoint(toy_model())
    return opened.config, load_weights(opened, None), Work(896, 128)


def synthetic() -> tuple[ModelConfig, Any, Work]:
    """Six layers of gpt-oss-20b with a small head: a quarter of its steps, and of its bytes."""
    full = gpt_oss_config()
    layers = full.layer_types[:6]
    config = replace(full, num_hidden_layers=6, layer_types=layers, vocab_size=4096)
    return config, random_weights(config), Work(512, 33)


def checkpoint(path: str) -> tuple[ModelConfig, Any, Work]:
    """A model as it is, such as gpt-oss-20b; its weights may be any."""
    opened = open_checkpoint(path)
    return opened.config, load_weights(opened), Work(512, 33)


MODELS: dict[str, Callable[[], tuple[ModelConfig, Any, Work]]] = {
    "toy": toy,
    "synthetic": synthetic,
}


@contextmanager
def all_kinds(config: ModelConfig, weights: Any, work: Work) -> Iterator[list[Kind]]:
    """The same weights with every kind of cache."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        codec = codec_of("bf16")
        levels: Mapping[str, Levels | None] = {
            "no cache": None,
            "level 1": None,
            "+ memory": Levels([MemoryLevel(ROOM, codec=codec)]),
            "+ disk": Levels([DiskLevel(f"{folder}/1", ROOM, _shapes(config), codec=codec)]),
            "+ both": Levels(
                [
                    MemoryLevel(ROOM, codec=codec),
                    DiskLevel(f"{folder}/2", ROOM, _shapes(config), codec=codec),
                ]
            ),
        }
        kinds = []
        for name, below in levels.items():
            runner = Runner(
                config, weights, work.prompt + work.answer, 1, prefix_cache=name != "no cache",
                levels=below,
            )  # fmt: skip
            stack.callback(runner.close)
            kinds.append(Kind(name, runner, below))
        yield kinds


def _shapes(config: ModelConfig) -> dict[str, tuple[int, int]]:
    size = CACHE_BLOCK * cached_bytes_per_token(config, "bf16")
    return {kind: (config.layer_types.count(kind), size) for kind in set(config.layer_types)}


def measure(name: str, rounds: int) -> None:
    """Print the table of a model."""
    config, weights, work = MODELS[name]() if name in MODELS else checkpoint(name)
    random = np.random.default_rng(0)
    with all_kinds(config, weights, work) as kinds:
        for number in range(rounds + 1):
            prompt = random.integers(0, config.vocab_size, work.prompt).tolist()
            for kind in kinds[number % len(kinds) :] + kinds[: number % len(kinds)]:
                kind.round(prompt, work)
                if not number:
                    kind.prefill.forget()
                    kind.decode.forget()
        print(f"\n{name}")
        _print(f"prompts of {work.prompt} tokens", [(k.name, k.prefill) for k in kinds])
        _print(f"answers of {work.answer} tokens", [(k.name, k.decode) for k in kinds])
        for kind in kinds:
            info = kind.scheduler.runner.cache.info()
            counts = kind.levels.counts() if kind.levels else ""
            print(f"{kind.name}: {info.cached_tokens} tokens were found; {counts}")


def _print(title: str, kinds: list[tuple[str, Times]]) -> None:
    none, threads = kinds[0][1], thread_count(None).count
    print(f"\n| {title} | ms | to none | in the cache, ms | writer, ms | counted cost |")
    print("|---|---|---|---|---|---|")
    for name, times in kinds:
        ratios = [time / other for time, other in zip(times.wall, none.wall, strict=True)]
        low, ratio, high = statistics.quantiles(ratios)
        wall, engine, writer = map(statistics.median, (times.wall, times.engine, times.writer))
        cost = (engine - statistics.median(none.engine) + writer / threads) / wall
        print(
            f"| {name} | {1e3 * wall:.1f} | {ratio:.3f} ({low:.3f} to {high:.3f}) | "
            f"{1e3 * engine:.2f} | {1e3 * writer:.2f} | {cost:.2%} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model", action="append",
        help=f"a checkpoint, or one of {', '.join(MODELS)}, which are measured by default",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    if chosen.rounds < 2:
        parser.error("--rounds: at least 2, so that it can be told by how much they differ")
    print(describe_machine(None, [thread_count(None).count], {}))
    for name in chosen.model or MODELS:
        measure(name, chosen.rounds)


if __name__ == "__main__":
    main()
