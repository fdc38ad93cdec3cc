"""A small trace through the engine itself, and what the simulator says to the same.

``python -m bench.cache.replay chats`` asks a model of random weights with four layers, ``--model``
another one. Texts are those of the trace, shortened, and answers are what the model writes: what is
asked next has them in it. Then the simulator gets what was asked when, and both should find the
same.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.cache.simulator import Outcome, Simulation
from bench.cache.traces import KINDS
from bench.cache.traces.spans import length_of, tokens_of
from bench.cache.traces.trace import Ask, Trace, scaled, trace_of
from pyhades.llm.engine.request import Request, request_of
from pyhades.llm.engine.sampling import SamplingParams
from pyhades.llm.llm import LLM
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config


@dataclass
class Replay:
    """A trace, as it was asked.

    Attributes
    ----------
    asked
        With the times at which it was, and how long answers took.
    known
        Tokens that the model wrote, by the names of the spans that stood for them.
    cached
        Tokens of each prompt that did not go through the model, in the order of ``asked``.
    """

    asked: list[Ask] = field(default_factory=list)
    known: dict[int, Sequence[int]] = field(default_factory=dict)
    cached: list[int] = field(default_factory=list)

    @property
    def spared(self) -> int:
        """Tokens that did not go through the model."""
        return sum(self.cached)


def replayed(llm: LLM, trace: Trace, *, speed: float = 1000.0) -> Replay:
    """Ask what the trace asks, in a thousandth of its time; each after the answers that it quotes.

    Lengths have to fit the model: see :func:`bench.cache.traces.trace.scaled`.
    """
    return asyncio.run(_Replayer(llm, trace, speed).run())


class _Replayer:
    def __init__(self, llm: LLM, trace: Trace, speed: float) -> None:
        self._llm, self._trace, self._speed = llm, trace, speed
        self._replay = Replay()
        answers = [span.name for ask in trace.asked for span in ask.answer]
        self._written = {name: asyncio.Event() for name in answers}

    async def run(self) -> Replay:
        for text in self._trace.declared:  # nobody asks yet, so the engine does not look
            declared = tokens_of(text, words=self._llm.config.vocab_size)
            self._llm.engine.runner.cache.declare(declared.tolist())
        self._began = time.perf_counter()
        await asyncio.gather(*(self._ask(ask) for ask in self._trace.asked))
        return self._replay

    async def _ask(self, ask: Ask) -> None:
        await asyncio.sleep(ask.time / self._speed)
        for span in ask.prompt:
            if span.name in self._written:
                await self._written[span.name].wait()
        began = time.perf_counter()
        written: list[int] = []
        cached = 0
        async for delta in self._llm.engine.write([self._request(ask)]):
            written += delta.token_ids
            cached = delta.cached_tokens
        for span in ask.answer:
            self._replay.known[span.name] = written[: span.length]
            del written[: span.length]
        took = time.perf_counter() - began
        self._replay.asked.append(replace(ask, time=began - self._began, took=took))
        self._replay.cached.append(cached)
        for span in ask.answer:
            self._written[span.name].set()

    def _request(self, ask: Ask) -> Request:
        llm, words = self._llm, self._llm.config.vocab_size
        prompt = tokens_of(ask.prompt, self._replay.known, words).tolist()
        params = SamplingParams(max_tokens=length_of(ask.answer), ignore_eos=True, seed=0)
        request = request_of(
            0, prompt, params, llm.context_length, frozenset(), words, client=ask.client
        )
        opens = frozenset(range(words)) if ask.opens else frozenset()  # whatever it ends with
        return replace(request, points=ask.points, opens=opens)


def simulated(llm: LLM, trace: Trace, replay: Replay) -> Outcome:
    """What the simulator says to what was asked."""
    asked = trace_of(trace.name, replay.asked, trace.declared)
    return Simulation(
        asked, llm.engine.runner.cache.tokens, known=replay.known, words=llm.config.vocab_size,
        config=llm.config,
    ).run()  # fmt: skip


def small_model(context_length: int = 4096) -> LLM:
    """Four layers of random weights."""
    config = tiny_config()
    weights = random_weights(config, "balanced", threads=1)
    return LLM.from_weights(config, weights, context_length=context_length, max_sequences=16)


def fitted(trace: Trace, context_length: int) -> Trace:
    """The trace with texts so short that they fit a context."""
    return scaled(trace, min(0.95 * context_length / max(trace.longest, 1), 1.0))


def main() -> None:
    """Replay a trace, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--asks", type=int, default=200, help="only the first so many")
    parser.add_argument("--model", type=Path, help="by default one of random weights")
    parser.add_argument("--context-length", type=int, default=2048)
    parser.add_argument("--speed", type=float, default=1000.0, help="times the trace's")
    options = parser.parse_args()
    length = options.context_length
    opened = LLM(options.model, context_length=length) if options.model else small_model(length)
    with opened as llm:
        trace = fitted(KINDS[options.kind](options.seed).first(options.asks), llm.context_length)
        replay = replayed(llm, trace, speed=options.speed)
        said = simulated(llm, trace, replay)
    print(f"{llm.name}, {options.kind}: {len(replay.asked)} prompts of {said.asked} tokens")
    print(f"the engine did not read {replay.spared}, {replay.spared / said.reusable:.4f} of the")
    print(f"reusable ones; the simulator {said.spared}, {said.of_reusable:.4f}")


if __name__ == "__main__":
    main()
