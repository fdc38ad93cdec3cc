"""What the simulator says is what the engine does."""

from __future__ import annotations

import pytest

from bench.cache.replay import fitted, replayed, simulated, small_model
from bench.cache.traces import KINDS


@pytest.fixture
def llm():
    with small_model(1024) as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["chats", "agents", "documents"])
def test_the_engine_finds_what_the_simulator_finds(llm, kind):
    trace = fitted(KINDS[kind](11).first(60), llm.context_length)
    replay = replayed(llm, trace)
    said = simulated(llm, trace, replay)
    assert len(replay.asked) == 60
    assert said.asked == llm.cache_info().prompt_tokens
    assert said.spared == pytest.approx(replay.spared, rel=0.04)
    assert 0 < said.spared <= said.reusable


def test_answers_are_quoted_as_they_were_written(llm):
    trace = fitted(KINDS["agents"](11).first(6), llm.context_length)
    replay = replayed(llm, trace)
    assert all(len(replay.known[s.name]) == s.length for a in trace.asked for s in a.answer)
    assert sum(replay.cached) > 0.5 * sum(ask.prompt_length for ask in replay.asked[1:])
