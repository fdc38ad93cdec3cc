"""Traces of what servers are asked, made from seeds, or read from files.

``KINDS`` holds a function per kind, from a seed to a trace. All have what public logs have: few who
ask much, bursts, long pauses, short questions and longer answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench.cache.traces.agents import agents
from bench.cache.traces.chats import chats
from bench.cache.traces.documents import documents
from bench.cache.traces.mixed import mixed
from bench.cache.traces.tenants import tenants
from bench.cache.traces.trace import Ask, Trace

__all__ = ["KINDS", "SEEDS", "TUNING_SEEDS", "Ask", "Trace"]

KINDS: Mapping[str, Callable[[int], Trace]] = {
    "tenants": tenants,
    "chats": chats,
    "agents": agents,
    "documents": documents,
    "mixed": mixed,
}
SEEDS = (1, 2, 3)
"""Of what is reported."""
TUNING_SEEDS = (101, 102)
"""Of what anything may be tuned on."""
