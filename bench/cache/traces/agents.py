"""Agents: chains of calls that keep their thoughts until the answer is there."""

from __future__ import annotations

from collections.abc import Iterator

from bench.cache.traces.dice import Dice
from bench.cache.traces.spans import Names, Text, length_of
from bench.cache.traces.trace import Ask, Trace, trace_of

LONGEST = 24_000
"""Tokens after which an agent is stopped."""


def agents(
    seed: int,
    *,
    tasks: int = 24,
    people: int = 9,
    mean_steps: float = 14.0,
    mean_gap: float = 240.0,
) -> Trace:
    """Tasks under long instructions with tools.

    Each step adds a thought, a call and 200 to 2000 tokens of result. When the answer is there, the
    thoughts of the chain go: what is asked next shares the text up to the first of them.
    """
    dice, names = Dice(seed), Names(seed)
    systems = [(names.span(dice.between(2000, 5000)),) for _ in range(3)]
    asked: list[Ask] = []
    for begin in dice.bursts(tasks, mean_gap, 0.5):
        client = dice.below(people)
        system = systems[client % len(systems)]
        asked += _task(dice, names, system, begin, f"agent {client}", mean_steps)
    return trace_of("agents", asked)


def _task(
    dice: Dice, names: Names, system: Text, time: float, client: str, mean_steps: float
) -> Iterator[Ask]:
    """One to three chains, the next after somebody has read the answer of the last."""
    history = system
    for _ in range(1 + dice.below(3)):
        prompt = (*history, names.span(dice.length(150, 1.0)))
        points = length_of(system), length_of(history)
        kept: Text = prompt
        for _ in range(dice.turns(mean_steps)):
            thought, call = names.span(dice.length(80, 0.8)), names.span(dice.length(60, 0.6))
            ask = Ask(time, client, prompt, (thought, call), points, opens=True)
            result = names.span(dice.between(200, 2000))
            if ask.prompt_length + ask.answer_length + result.length + 2000 > LONGEST:
                break
            yield ask
            prompt = (*prompt, thought, call, result)
            kept = (*kept, call, result)
            time += ask.seconds + dice.pause(4, 1.0, 600)
        answer = names.span(dice.length(250, 0.7, 1000))
        ask = Ask(time, client, prompt, (names.span(dice.length(120, 0.8, 900)), answer), points)
        yield ask
        history = (*kept, answer)
        if length_of(history) > LONGEST / 2:
            return
        time += ask.seconds + dice.pause(180)
