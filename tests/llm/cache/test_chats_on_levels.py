"""Chats over a small pool, memory and disk, with restarts and losses: answers are as without."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from dataclasses import replace

import pytest

from pyhades.llm.cache.codec import codec_of
from pyhades.llm.cache.disk.level import DiskLevel
from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.memory import MemoryLevel
from pyhades.llm.cache.pool import FREED
from pyhades.llm.cache.sizes import cached_bytes_per_token
from pyhades.llm.engine.engine import Engine
from pyhades.llm.engine.request import Request
from pyhades.llm.engine.runner import Runner
from pyhades.llm.engine.sampling import SamplingParams
from pyhades.llm.engine.scheduler import Scheduler
from pyhades.llm.engine.step_costs import StepCosts
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from pyhades.llm.models.layers import CACHE_BLOCK
from tests.support.tiny_texts import ids

FULL = "full_attention"
WINDOWED = tiny_config(sliding_window=48)
PLAIN = replace(tiny_config(), layer_types=(FULL,) * 4, sliding_window=0)
CONFIGS = {"windowed": WINDOWED, "plain": PLAIN}
CONTEXT = 1024


class Costs(StepCosts):
    """As stated, whatever steps take here."""

    def learn(self, rows: int, looks: int, seconds: float) -> None:
        pass


FAST = Costs([1, 512], [1e-6, 1e-3])


class Clock:
    """Passes a millisecond with every look, whatever the machine does meanwhile."""

    def __init__(self) -> None:
        self.seconds = 1e9

    def __call__(self) -> float:
        self.seconds += 0.001
        return self.seconds


class Unreliable(MemoryLevel):
    """Loses some records when they are asked for, and spoils some."""

    outlives = True
    dice = random.Random(0)

    def get(self, key):
        record = super().get(key)
        if record is None or self.dice.random() < 0.02:
            return None
        if self.dice.random() < 0.02:
            return replace(record, tokens=bytes(len(record.tokens)))
        return record

    def close(self):
        """It outlives what uses it."""


@pytest.fixture(scope="module", params=CONFIGS)
def model(request):
    config = CONFIGS[request.param]
    return config, random_weights(config, "balanced", threads=1)


def shapes_of(config, kv_format="bf16") -> dict[str, tuple[int, int]]:
    block = CACHE_BLOCK * cached_bytes_per_token(config, kv_format)
    return {kind: (config.layer_types.count(kind), block) for kind in set(config.layer_types)}


def check_books(runner: Runner, sequences) -> None:
    """Every block has the users that it says, and all others are free."""
    kept = runner.cache.prefixes
    for kind, pool in runner.cache.pools.items():
        held = Counter(b for s in sequences for b in s.blocks[kind] if b != FREED)
        keeps = Counter(
            block
            for checkpoint in kept.windows.kept.values()
            for block in (checkpoint.windows[kind] if pool.window else ())
        )
        if not pool.window:
            keeps = Counter(node.blocks[kind] for node in kept.tree.nodes.values())
        for block in range(pool.blocks):
            assert pool.users(block) == (held[block] + keeps[block], keeps[block])
        assert pool.idle == set(keeps) - set(held)


class Chats:
    """Chats of several clients, who come and go, and begin anew."""

    def __init__(self, model, open_levels, *, opens=frozenset({7, 8, 9})) -> None:
        self.model, self.open_levels, self.opens = model, open_levels, opens
        self.clock = Clock()
        self.plain = Runner(*model, CONTEXT, 8, 1, step_tokens=64, prefix_cache=False)
        self.known: dict[tuple, list[list[int]]] = {}
        self.found = self.fetched = self.asked = 0
        self.begin()

    def begin(self) -> None:
        self.runner = Runner(
            *self.model, CONTEXT, 4, 1, step_tokens=64, cache_tokens=CONTEXT,
            levels=self.open_levels(self.clock), clock=self.clock,
        )  # fmt: skip
        self.scheduler = Scheduler(self.runner, FAST, clock=self.clock)

    def end(self) -> None:
        info = self.runner.cache.info()
        self.found += info.cached_tokens
        self.fetched += info.fetched_tokens
        self.asked += info.prompt_tokens
        self.runner.close()

    def expected(self, one: Request) -> list[list[int]]:
        key = one.number, one.tokens, one.max_tokens, one.params.n
        if key not in self.known:
            scheduler = Scheduler(self.plain, FAST)
            answers = scheduler.add(one)
            while scheduler.has_work:
                events = scheduler.step()
                scheduler.drop([e.answer for e in events if e.answer.finish_reason is not None])
            self.known[key] = [answer.tokens[len(one.tokens) :] for answer in answers]
        return self.known[key]

    def run(self, steps: int, seed: int, restart: float = 0.01) -> None:
        dice = random.Random(seed)
        systems = [ids(100 + n, 90 * n) for n in range(4)]
        chats = [list(dice.choice(systems)) + ids(n, 5) for n in range(8)]
        live: dict[int, tuple] = {}
        for _ in range(steps):
            free = [n for n in range(8) if n not in live]
            if free and dice.random() < 0.3:
                chat = dice.choice(free)
                if len(chats[chat]) > 500:
                    chats[chat] = list(dice.choice(systems)) + ids(dice.randrange(99), 9)
                most, n = dice.randrange(1, 30), 1 + dice.randrange(2)
                params = SamplingParams(seed=chat, max_tokens=most, n=n)
                text = tuple(chats[chat])
                one = Request(chat, text, params, most, frozenset(), str(chat % 2),
                              points=(len(systems[1]),), opens=self.opens)  # fmt: skip
                live[chat] = one, self.scheduler.add(one)
            if live and dice.random() < 0.03:
                self.scheduler.drop(live.pop(dice.choice(list(live)))[1])
            self.step(live, chats, dice)
            if dice.random() < restart:
                self.end()
                live.clear()
                self.begin()
        for _, answers in live.values():
            self.scheduler.drop(answers)
        check_books(self.runner, [])
        self.end()
        self.plain.close()

    def step(self, live, chats, dice) -> None:
        if not self.scheduler.has_work:
            time.sleep(0.001)
        events = self.scheduler.step()
        assert all(event.error is None for event in events)
        self.scheduler.drop([e.answer for e in events if e.answer.finish_reason is not None])
        if self.scheduler.steps % 16 == 0:
            check_books(self.runner, [a.sequence for a in self.scheduler.answers])
        for chat, (one, answers) in list(live.items()):
            if all(answer.finish_reason is not None for answer in answers):
                del live[chat]
                written = [answer.tokens[len(one.tokens) :] for answer in answers]
                assert written == self.expected(one)
                chats[chat] += [*written[0], *ids(dice.randrange(99), 20)]


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.slow
def test_memory_and_disk(model, tmp_path, inline):
    def open_levels(clock) -> Levels:
        memory = MemoryLevel(1 << 21, codec=codec_of("bf16"), clock=clock)
        disk = DiskLevel(tmp_path / "cache", 1 << 24, shapes_of(model[0]), clock=clock)
        return Levels([memory, disk], inline=inline)

    chats = Chats(model, open_levels)
    chats.run(500, seed=1)
    assert len(chats.known) > 40 and chats.fetched > 1000
    assert chats.found > 0.5 * chats.asked


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.slow
def test_a_level_that_loses_and_spoils(model, inline):
    store = Unreliable(1 << 24, codec=codec_of("bf16"))
    chats = Chats(model, lambda clock: Levels([store], inline=inline))
    chats.run(500, seed=2)
    assert len(chats.known) > 40 and chats.fetched > 1000


def test_disk_after_a_restart(model, tmp_path):
    """With threads, as it is used."""
    prompt, found = tuple(ids(0, 700)), []
    written = []
    for _ in range(2):
        disk = DiskLevel(tmp_path / "cache", 1 << 24, shapes_of(model[0]))
        runner = Runner(*model, CONTEXT, 4, 1, levels=Levels([disk]))
        scheduler = Scheduler(runner, FAST)
        params = SamplingParams(seed=0, max_tokens=20)
        [answer] = scheduler.add(Request(0, prompt, params, 20, frozenset()))
        deadline = time.monotonic() + 30
        while answer.finish_reason is None and time.monotonic() < deadline:
            scheduler.step()
        scheduler.drop([answer])
        found.append(answer.cached_tokens)
        written.append(answer.tokens[700:])
        runner.close()
    assert found == [0, 688] and written[0] == written[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_finds_what_its_parent_wrote(model, tmp_path):
    disk = DiskLevel(tmp_path / "cache", 1 << 24, shapes_of(model[0]))
    levels = Levels([disk])
    engine = Engine(Runner(*model, CONTEXT, 4, 1, levels=levels), None, "toy", costs=FAST)
    one = Request(0, tuple(ids(0, 400)), SamplingParams(seed=0, max_tokens=8), 8, frozenset())

    def answer() -> list[int]:
        return [token for delta in engine.write([one]) for token in delta.token_ids]

    first = answer()
    assert levels.flush(30)
    child = os.fork()
    if child == 0:
        is_right = False
        try:
            before = engine.runner.cache.info()
            is_right = before.kept_tokens == 0 and answer() == first
            is_right &= engine.runner.cache.info().fetched_tokens == 384
        finally:
            os._exit(0 if is_right else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert answer() == first
    engine.close()
