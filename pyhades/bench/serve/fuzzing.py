"""Sends what :mod:`~pyhades.bench.serve.fuzz` makes up, and looks for what no server should do."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict

import h11

from pyhades.bench.serve.exchange import HttpClient, HttpRequest
from pyhades.bench.serve.fuzz import BODIES, case
from pyhades.bench.serve.outcome import Fuzzed

DROPPED, LEFT, NEVER_SENT = "dropped", "left", "never sent"
_SHOWN = 20
"""Bad answers that are told one by one."""


async def fuzz(
    http: HttpClient, model: str, *, cases: int, seed: int, at_once: int, patience: float
) -> Fuzzed:
    """Send so many requests.

    Parameters
    ----------
    http, model
        Where to, and the name of the model there.
    cases
        How many: the numbers from 0 on.
    seed
        Of all of them.
    at_once
        How many wait for their answers together.
    patience
        Seconds after which an answer is not waited for any more: a spoilt body may ask for
        thousands of tokens, and rightly so.
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    fuzzed = Fuzzed()
    numbers = iter(range(cases))

    async def sender() -> None:
        for number in numbers:
            request = case(seed, number, model)
            happened = await _send(http, request, patience)
            counts[request.path if request.path in BODIES else "elsewhere"][happened] += 1
            if happened == DROPPED or (happened.isdecimal() and int(happened) >= 500):
                fuzzed.bad += 1
                if len(fuzzed.examples) < _SHOWN:
                    fuzzed.examples.append(_told(number, happened, request))

    await asyncio.gather(*(sender() for _ in range(at_once)))
    fuzzed.counts = {path: dict(sorted(counts[path].items())) for path in sorted(counts)}
    return fuzzed


async def _send(http: HttpClient, request: HttpRequest, patience: float) -> str:
    """The status, or what happened instead."""
    try:
        async with asyncio.timeout(patience), http.exchange(request) as exchange:
            await exchange.body()
            return str(exchange.status)
    except TimeoutError:
        return LEFT
    except (OSError, h11.RemoteProtocolError):
        return NEVER_SENT if request.missing else DROPPED


def _told(number: int, happened: str, request: HttpRequest) -> str:
    return f"case {number}, {request.method} {request.path[:40]}: {happened}"
