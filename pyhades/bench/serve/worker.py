"""The process that asks: a line of JSON for each load, a line with what became of it.

Nothing else runs in it, and how much of a core it takes is part of each answer: on a small machine
that is taken from the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import resource
import sys
import time
from typing import Any

from pyhades.bench.serve import loads
from pyhades.bench.serve.asking import Asker
from pyhades.bench.serve.fuzzing import fuzz
from pyhades.bench.serve.outcome import Outcome
from pyhades.errors import PyhadesError

LOADS = {
    load.__name__: load
    for load in (loads.closed, loads.poisson, loads.arrivals, loads.churn, loads.given)
}


def main() -> None:
    """Answer until the input ends."""
    _many_connections()
    _answer({"loads": sorted(LOADS)})
    asker = None
    for line in sys.stdin:
        question = json.loads(line)
        try:
            if "connect" in question:
                asker = Asker(**question["connect"])
                asyncio.run(asker.calibrate())
                _answer({})
            else:
                assert asker is not None
                _answer(_run(asker, question.pop("load"), question))
        except PyhadesError as error:
            sys.exit(str(error))


def _run(asker: Asker, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    asker.restart()
    cpu, began = time.process_time(), time.perf_counter()
    if name == fuzz.__name__:
        what: dict[str, Any] = {
            "fuzzed": dataclasses.asdict(asyncio.run(fuzz(asker.http, asker.model, **arguments)))
        }
    else:
        outcomes: list[Outcome] = asyncio.run(LOADS[name](asker, **arguments))
        what = {"outcomes": [dataclasses.asdict(outcome) for outcome in outcomes]}
    seconds = time.perf_counter() - began
    return what | {"seconds": seconds, "cpu_share": (time.process_time() - cpu) / seconds}


def _many_connections() -> None:
    """Every request has a connection, and systems allow few at first."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _answer(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
