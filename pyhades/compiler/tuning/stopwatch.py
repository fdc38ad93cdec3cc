"""Which of a few programs takes the least time on a machine that others use, too."""

from __future__ import annotations

import time
from collections.abc import Mapping

from pyhades import _native

ROUNDS = 7
LONGEST = 0.5
"""Seconds for all rounds of one comparison; at least two rounds are run."""


def fastest(programs: Mapping[str, _native.Program], threads: int) -> tuple[str, dict[str, float]]:
    """The name of the fastest, and the least seconds of each.

    They take turns, so that a change of the clock meets all alike. The least time is taken: it is
    the one that nobody disturbed.
    """
    contexts = {
        name: _native.Context(program, _native.team_of(threads))
        for name, program in programs.items()
    }
    try:
        for context in contexts.values():
            context.run({})  # touches the memory
        times = dict.fromkeys(contexts, float("inf"))
        began = time.perf_counter()
        for count in range(ROUNDS):
            for name, context in contexts.items():
                started = time.perf_counter()
                context.run({})
                times[name] = min(times[name], time.perf_counter() - started)
            if count and time.perf_counter() - began > LONGEST:
                break
    finally:
        for context in contexts.values():
            context.close()
    return min(times, key=times.__getitem__), times
