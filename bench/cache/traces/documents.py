"""Questions about documents that stand in another order each time: there is nothing to find."""

from __future__ import annotations

from bench.cache.traces.dice import Dice
from bench.cache.traces.spans import Names
from bench.cache.traces.trace import Ask, Trace, trace_of


def documents(
    seed: int,
    *,
    questions: int = 200,
    library: int = 300,
    of_each: int = 6,
    mean_gap: float = 60.0,
) -> Trace:
    """The same documents again and again, never first in two prompts.

    Keys and values of a document depend on all that stands before it, so beyond the instructions a
    cache that finds anything is wrong.

    Raises
    ------
    ValueError
        There are more questions than documents that could stand first.
    """
    if questions > library:
        raise ValueError(f"{questions} questions need as many documents, not {library}")
    dice, names = Dice(seed), Names(seed)
    system = names.span(400)
    texts = [names.span(dice.between(150, 600)) for _ in range(library)]
    asked = []
    for first, time in zip(
        dice.some_of(library, questions), dice.bursts(questions, mean_gap), strict=True
    ):
        others = [other for other in dice.some_of(library, of_each) if other != first]
        chosen = [texts[number] for number in (first, *others[: of_each - 1])]
        question = names.span(dice.length(30, 0.8))
        answer = (names.span(dice.length(200, 0.7)),)
        asked.append(Ask(time, "search", (system, *chosen, question), answer, (system.length,)))
    return trace_of("documents", asked)
