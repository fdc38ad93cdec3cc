"""Whether a server is again what it was, once everybody has gone."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pyhades.bench.serve.client import Client
from pyhades.bench.serve.findings import Check
from pyhades.bench.serve.gauges import HELD_BLOCKS, RUNNING, WAITING, named
from pyhades.bench.serve.outcome import Outcome
from pyhades.bench.serve.servers import Server

_QUESTION = "one two three four five six seven"
_OUTPUT = 16
_PAUSE = 0.2


@dataclass(frozen=True)
class Rest:
    """What a server still does; None where it does not tell."""

    running: float | None
    waiting: float | None
    held_blocks: float | None


def question(client: Client, patience: float) -> Outcome:
    """Ask what has one answer only."""
    (outcome,) = client.load(
        "given", prompts=[_QUESTION], output_tokens=_OUTPUT, patience=patience
    ).outcomes
    return outcome


def rest(server: Server, seconds: float) -> Rest:
    """What is left to do, which has some time to become nothing."""
    deadline = time.monotonic() + seconds
    while True:
        gauges = server.gauges()
        left = Rest(*(named(gauges, names) for names in (RUNNING, WAITING, HELD_BLOCKS)))
        if not any((left.running, left.waiting, left.held_blocks)) or time.monotonic() > deadline:
            return left
        time.sleep(_PAUSE)


def checks_of_rest(name: str, left: Rest) -> list[Check]:
    """Nothing runs, waits or holds memory. A server that does not tell passes none of these."""
    told = {
        "requests that still run": left.running,
        "requests that still wait": left.waiting,
        "KV blocks that nobody gave back": left.held_blocks,
    }
    return [
        Check(f"{name}: {what}", "not told" if value is None else f"{value:g}", "0", value == 0)
        for what, value in told.items()
    ]


def check_same(name: str, before: Outcome, after: Outcome) -> Check:
    """The question is answered as it was."""
    if not before.good:
        said = f"before: {before.error or 'cut off'}"
    elif not after.good:
        said = after.error or "cut off"
    else:
        said = "as before" if before.text == after.text else "otherwise than before"
    return Check(f"{name}: one more request", said, "as before", said == "as before")


def check_alive(server: Server) -> Check:
    """It runs and answers."""
    alive = server.is_alive
    said = "alive" if alive else "no answer"
    return Check(f"{server.name}: the server", said, "alive", alive)
