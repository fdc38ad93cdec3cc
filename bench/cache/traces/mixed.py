"""All kinds at once, on one server."""

from __future__ import annotations

from dataclasses import replace

from bench.cache.traces.agents import agents
from bench.cache.traces.chats import chats
from bench.cache.traces.documents import documents
from bench.cache.traces.tenants import tenants
from bench.cache.traces.trace import Trace, trace_of


def mixed(seed: int) -> Trace:
    """Half as much of each kind, over the same hours; clients of one are none of another."""
    parts = (
        tenants(4 * seed, calls=400, mean_gap=40),
        chats(4 * seed + 1, count=60, mean_gap=180),
        agents(4 * seed + 2, tasks=12, mean_gap=600),
        documents(4 * seed + 3, questions=100, mean_gap=120),
    )
    asked = [
        replace(ask, client=f"{part.name}: {ask.client}") for part in parts for ask in part.asked
    ]
    return trace_of("mixed", asked, [text for part in parts for text in part.declared])
