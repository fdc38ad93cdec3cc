"""What the cache costs where it brings nothing: prompts without hits, and writing answers through.

``python -m bench.cache.overhead`` reads prompts that nobody has asked before and writes answers,
with no cache, with the tree in memory (whose room is so small that every prompt displaces the last
ones), with a level in memory below it, and with one on disk. All kinds take turns, so that what
changes about the machine changes for all of them. A ratio is the median of those of the rounds.
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
from pyhades.llm.cache.disk.level import DiskLevel

from pyhades.bench.machine import describe_machine
from pyhades.config import thread_count
from pyhades.llm.cache.codec import codec_of
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
class Kind:
    """A model with a kind of cache, and what it took, per round."""

    name: str
    scheduler: Scheduler
    levels: Levels | None
    prefill: list[float] = field(default_factory=list)
    decode: list[float] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    """Seconds after a prompt until everything of it was written."""

    def round(self, prompt: list[int], work: Work) -> None:
        """Read a prompt and go; then read its first tokens alone, and write an answer."""
        began = time.perf_counter()
        self._run(prompt, 1)
        self.prefill.append(time.perf_counter() - began)
        self.left.append(self._flushed())
        self._add(prompt[: 2 * CACHE_BLOCK][::-1], work.answer)
        self.scheduler.step()
        began = time.perf_counter()
        self._finish()
        self.decode.append((time.perf_counter() - began) / (work.answer - 1))
        self._flushed()

    def _run(self, prompt: list[int], most: int) -> None:
        self._add(prompt, most)
        self._finish()

    def _add(self, prompt: list[int], most: int) -> None:
        params = SamplingParams(temperature=0.0, ignore_eos=True)
        self.scheduler.add(Request(0, tuple(prompt), params, most, frozenset()))

    def _finish(self) -> None:
        while self.scheduler.has_work:
            events = self.scheduler.step()
            assert all(event.error is None for event in events)
            self.scheduler.drop([e.answer for e in events if e.answer.finish_reason is not None])

    def _flushed(self) -> float:
        began = time.perf_counter()
        assert self.levels is None or self.levels.flush(FLUSH_SECONDS)
        return time.perf_counter() - began


def toy() -> tuple[ModelConfig, Any, Work]:
    """Steps are so short that everything around them shows."""
    checkpoint = open_checkpoint(toy_model())
    return checkpoint.config, load_weights(checkpoint, None), Work(896, 128)


def synthetic() -> tuple[ModelConfig, Any, Work]:
    """Four layers of gpt-oss-20b with a small head: a sixth of its steps, and of its bytes."""
    full = gpt_oss_config()
    layers = full.layer_types[:4]
    config = replace(full, num_hidden_layers=4, layer_types=layers, vocab_size=8192)
    return config, random_weights(config), Work(512, 64)


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
            "+ disk": Levels([DiskLevel(folder, ROOM, _shapes(config), codec=codec)]),
        }
        kinds = []
        for name, below in levels.items():
            runner = Runner(
                config, weights, work.prompt + work.answer, 1, prefix_cache=name != "no cache",
                levels=below,
            )  # fmt: skip
            stack.callback(runner.close)
            kinds.append(Kind(name, Scheduler(runner, StepCosts([1], [1e-9])), below))
        yield kinds


def _shapes(config: ModelConfig) -> dict[str, tuple[int, int]]:
    size = CACHE_BLOCK * cached_bytes_per_token(config, "bf16")
    return {kind: (config.layer_types.count(kind), size) for kind in set(config.layer_types)}


def measure(name: str, rounds: int) -> None:
    """Print the table of a model."""
    config, weights, work = MODELS[name]()
    random = np.random.default_rng(0)
    with all_kinds(config, weights, work) as kinds:
        for number in range(rounds + 1):
            prompt = random.integers(0, config.vocab_size, work.prompt).tolist()
            for kind in kinds[number % len(kinds) :] + kinds[: number % len(kinds)]:
                kind.round(prompt, work)
                if not number:  # pages, clocks, buffers
                    for times in (kind.prefill, kind.decode, kind.left):
                        times.clear()
        print(f"\n{name}: prompts of {work.prompt} tokens, answers of {work.answer}\n")
        print("| cache | prefill, ms | to none | written after, ms | decode, ms | to none |")
        print("|---|---|---|---|---|---|")
        for kind in kinds:
            print(_row(kind, kinds[0]))
        for kind in kinds:
            info = kind.scheduler.runner.cache.info()
            counts = kind.levels.counts() if kind.levels else ""
            print(f"{kind.name}: {info.cached_tokens} tokens were found; {counts}")


def _row(kind: Kind, none: Kind) -> str:
    median = statistics.median
    cells = [
        kind.name,
        f"{1e3 * median(kind.prefill):.1f}",
        _ratio(kind.prefill, none.prefill),
        f"{1e3 * median(kind.left):.1f}",
        f"{1e3 * median(kind.decode):.3f}",
        _ratio(kind.decode, none.decode),
    ]
    return f"| {' | '.join(cells)} |"


def _ratio(times: list[float], others: list[float]) -> str:
    ratios = [time / other for time, other in zip(times, others, strict=True)]
    low, middle, high = statistics.quantiles(ratios)
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=MODELS, action="append", help="both by default")
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    print(describe_machine(None, [thread_count(None).count], {}))
    for name in chosen.model or MODELS:
        measure(name, chosen.rounds)


if __name__ == "__main__":
    main()
