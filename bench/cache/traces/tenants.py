"""Programs that ask one thing at a time, each under the instructions of its application."""

from __future__ import annotations

from bench.cache.traces.dice import Dice
from bench.cache.traces.spans import Names
from bench.cache.traces.trace import Ask, Trace, trace_of


def tenants(
    seed: int,
    *,
    calls: int = 800,
    applications: int = 24,
    clients: int = 60,
    mean_gap: float = 20.0,
) -> Trace:
    """Single calls under shared instructions.

    Few applications make most of the calls (Zipf). The instructions of the first eight are declared
    by whoever runs the server, so that they are shared among clients; the others have one client
    each.
    """
    dice, names = Dice(seed), Names(seed)
    instructions = [names.span(dice.length(900, 0.8)) for _ in range(applications)]
    declared = instructions[:8]
    asked = []
    for time in dice.bursts(calls, mean_gap):
        application = dice.zipf(applications)
        is_declared = application < len(declared)
        client = f"client {dice.below(clients)}" if is_declared else f"owner of {application}"
        system = instructions[application]
        prompt = system, names.span(dice.length(120, 1.0))
        answer = (names.span(dice.length(120, 0.7)),)
        asked.append(Ask(time, client, prompt, answer, (system.length,)))
    return trace_of("tenants", asked, [(system,) for system in declared])
