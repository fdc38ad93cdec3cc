"""People who chat: turns with gaps, thoughts that are dropped, edits, and second tries."""

from __future__ import annotations

from dataclasses import dataclass

from bench.cache.traces.dice import Dice
from bench.cache.traces.spans import Names, Span, Text, length_of
from bench.cache.traces.trace import READ_PER_SECOND, Ask, Trace, trace_of

LONGEST = 8000
"""Tokens after which a chat ends."""
EDITS, RETRIES = 0.06, 0.08
"""How often an earlier turn is asked in other words, and how often the answer is asked for again.

Both come after an answer, instead of a new turn.
"""


@dataclass
class _Turn:
    question: Span
    answer: Span
    """Without what was thought before it."""


def chats(
    seed: int,
    *,
    count: int = 120,
    people: int = 40,
    mean_turns: float = 7.0,
    mean_gap: float = 90.0,
    instructions: float = 500,
) -> Trace:
    """Chats as in public logs: short questions, longer answers, some seven turns.

    An answer is a thought and its words; the next prompt has the words only, so it shares what the
    last prompt had and no more.
    """
    dice, names = Dice(seed), Names(seed)
    system = (names.span(instructions),)
    asked: list[Ask] = []
    for begin in dice.bursts(count, mean_gap):
        asked += _chat(dice, names, system, begin, f"person {dice.zipf(people, 0.8)}", mean_turns)
    return trace_of("chats", asked, [system])


def _chat(
    dice: Dice, names: Names, system: Text, time: float, client: str, mean_turns: float
) -> list[Ask]:
    asked: list[Ask] = []
    turns: list[_Turn] = []
    left = dice.turns(mean_turns)
    while left:
        left -= 1
        if turns and dice.happens(RETRIES):
            turns[-1] = _Turn(turns[-1].question, names.span(dice.length(200, 0.9)))
        else:
            if len(turns) > 1 and dice.happens(EDITS):
                del turns[dice.below(len(turns)) :]
            question = names.span(dice.length(50, 1.2))
            turns.append(_Turn(question, names.span(dice.length(200, 0.9))))
        ask = _asked(time, client, system, turns, names.span(dice.length(120, 0.9)))
        if ask.prompt_length + ask.answer_length > LONGEST:
            break
        asked.append(ask)
        time += ask.seconds + ask.prompt_length / READ_PER_SECOND / 10 + dice.pause(60)
    return asked


def _asked(time: float, client: str, system: Text, turns: list[_Turn], thought: Span) -> Ask:
    *before, last = turns
    history = [span for turn in before for span in (turn.question, turn.answer)]
    beginning = (*system, *history)
    points = length_of(system), length_of(beginning)
    return Ask(time, client, (*beginning, last.question), (thought, last.answer), points)
