"""The tree on levels below it: what left the pool, or the process, is found again to the bit."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from pyhades.llm.cache import bringing_back
from pyhades.llm.cache.codec import codec_of
from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.memory import MemoryLevel
from pyhades.llm.cache.records import Key, Part
from pyhades.llm.engine.engine import Engine
from pyhades.llm.engine.request import Request
from pyhades.llm.engine.runner import Runner
from pyhades.llm.engine.scheduler import Scheduler
from pyhades.llm.engine.step_costs import StepCosts
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from tests.support.tiny_texts import ids, request

FULL, SLIDING = "full_attention", "sliding_attention"
WINDOWED = tiny_config()
PLAIN = replace(WINDOWED, layer_types=(FULL,) * 4, sliding_window=0)
CONFIGS = {"windowed": WINDOWED, "plain": PLAIN}
CONTEXT = 1024


class Costs(StepCosts):
    """As stated, whatever steps take here."""

    def learn(self, rows: int, looks: int, seconds: float) -> None:
        pass


FAST = Costs([1, 512], [1e-6, 1e-3])


class Store(MemoryLevel):
    """As a disk: it outlives what uses it, and may lose, delay or spoil what it was given."""

    outlives = True

    def __init__(self, kv_format="bf16"):
        super().__init__(1 << 26, codec=codec_of(kv_format))
        self.lost, self.spoilt = set(), {}
        self.asked, self.came, self.waiting = [], [], 0
        self.gate = threading.Event()
        self.gate.set()

    def put(self, record):
        self.came.append(record.key)
        super().put(record)

    def get(self, key):
        self.waiting += 1
        self.gate.wait(20)
        self.asked.append(key)
        if key in self.lost:
            return None
        record = super().get(key)
        return self.spoilt[key](record) if key in self.spoilt else record

    def close(self):
        """As a disk does: everything stays."""


@pytest.fixture(scope="module", params=CONFIGS)
def model(request):
    config = CONFIGS[request.param]
    return config, random_weights(config, "balanced", threads=1)


@pytest.fixture
def open_runner(model):
    runners = []

    def open_one(*levels, inline=True, kv_format="bf16", **options):
        below = Levels(levels, inline=inline) if levels else None
        options = {"step_tokens": 64, "max_sequences": 8} | options
        runner = Runner(*model, CONTEXT, threads=1, kv_format=kv_format, levels=below, **options)
        runners.append(runner)
        return runner

    yield open_one
    for runner in runners:
        runner.close()


def run(runner: Runner, *requests: Request):
    """Tokens of each answer, and how many tokens of each prompt need not be read."""
    scheduler = Scheduler(runner, FAST)
    answers = [answer for one in requests for answer in scheduler.add(one)]
    while scheduler.has_work:
        events = scheduler.step()
        for event in events:
            assert event.error is None
        scheduler.drop([e.answer for e in events if e.answer.finish_reason is not None])
    return [a.tokens[len(a.request.tokens) :] for a in answers], [a.cached_tokens for a in answers]


@pytest.mark.parametrize("kv_format", ["bf16", "int8"])
def test_what_one_wrote_is_found_by_the_next(open_runner, kv_format):
    disk, prompt = Store(kv_format), ids(0, 500)
    first = open_runner(disk, kv_format=kv_format)
    [answer], found = run(first, request(0, prompt))
    assert found == [0]
    first.close()
    again = open_runner(disk, kv_format=kv_format)
    assert run(again, request(0, prompt)) == ([answer], [496])
    longer = prompt + answer + ids(1, 50)
    answers, [found] = run(again, request(1, longer))
    assert found >= 496
    assert answers == run(open_runner(prefix_cache=False, kv_format=kv_format),
                          request(1, longer))[0]  # fmt: skip
    assert again.cache.info().fetched_tokens == 496
    with_what_is_there = len(disk.came)
    run(open_runner(disk, kv_format=kv_format), request(0, prompt))
    assert len(disk.came) == with_what_is_there, "nothing is written twice"


def test_texts_are_written_from_their_fourth_block_on(open_runner):
    disk = Store()
    runner = open_runner(disk)
    run(runner, request(0, ids(0, 60), 1))
    assert not disk.came
    run(runner, request(0, ids(0, 66), 1))
    assert len({key for key in disk.came if key.part is Part.BLOCK}) == 4


def test_other_facts_and_clients_find_nothing(open_runner):
    disk, prompt = Store(), ids(0, 300)
    run(open_runner(disk, facts={"weights": "a"}), request(0, prompt, client="ann"))
    for facts, client, found in (("a", "bob", 0), ("b", "ann", 0), ("a", "ann", 288)):
        runner = open_runner(disk, facts={"weights": facts})
        assert run(runner, request(0, prompt, client=client))[1] == [found]


def test_what_leaves_the_pool_comes_back_from_memory(open_runner):
    memory = MemoryLevel(1 << 26, codec=codec_of("bf16"))
    runner = open_runner(memory, cache_tokens=CONTEXT, max_sequences=2)
    texts = [ids(n, 330) for n in range(8)]
    answers = [run(runner, request(n, text))[0] for n, text in enumerate(texts)]
    assert runner.cache.info().evicted_tokens > 1000 and not memory.counts().damaged
    for n, text in enumerate(texts):
        assert run(runner, request(n, text)) == (answers[n], [320])
    assert runner.cache.info().fetched_tokens > 1000


def test_a_lost_record_ends_what_is_found(open_runner):
    disk, prompt = Store(), ids(0, 500)
    runner = open_runner(disk)
    expected = run(runner, request(0, prompt))[0]
    blocks = [key for key in disk.came if key.part is Part.BLOCK]
    disk.lost.add(blocks[20])
    again = open_runner(disk)
    answers, [found] = run(again, request(0, prompt))
    assert answers == expected
    reach = 62 if SLIDING in again.cache.pools else 0
    assert found == 20 * 16 - reach
    assert len(disk.asked) < 200, "it does not ask for ever"


@pytest.mark.parametrize("what", ["tokens", "parent", "shape", "kind"])
def test_a_record_that_does_not_fit_is_as_good_as_none(open_runner, what):
    disk, prompt = Store(), ids(0, 500)
    expected = run(open_runner(disk), request(0, prompt))[0]
    blocks = [key for key in disk.came if key.part is Part.BLOCK]
    disk.spoilt[blocks[10]] = {
        "tokens": lambda record: replace(record, tokens=record.tokens[::-1]),
        "parent": lambda record: replace(record, parent=bytes(32)),
        "shape": lambda record: replace(
            record, contents={kind: part[:, :, 1:] for kind, part in record.contents.items()}
        ),
        "kind": lambda record: replace(record, contents={"other": np.zeros((1, 1, 1), np.uint8)}),
    }[what]
    answers, [found] = run(open_runner(disk), request(0, prompt))
    assert answers == expected and found <= 160


def test_a_lost_window_is_computed_from_fetched_blocks(open_runner):
    disk, prompt = Store(), ids(0, 500)
    runner = open_runner(disk)
    if SLIDING not in runner.cache.pools:
        pytest.skip("there are no windows")
    expected = run(runner, request(0, prompt))[0]
    disk.lost |= {key for key in disk.came if key.part is Part.WINDOW}
    again = open_runner(disk)
    assert run(again, request(0, prompt)) == (expected, [496 - 62])
    assert again.cache.info().rederived_tokens == 62


def test_a_window_below_saves_computing_it(open_runner, monkeypatch):
    disk, prompt = Store(), ids(0, 500)
    runner = open_runner(disk)
    if SLIDING not in runner.cache.pools:
        pytest.skip("there are no windows")
    expected = run(runner, request(0, prompt))[0]
    kept = runner.cache.prefixes
    for least, found in ((64, 434), (62, 496)):  # of 62 tokens that would be read again
        monkeypatch.setattr(bringing_back, "WORTH_FETCHING", least)
        for digest in list(kept.windows.kept):
            kept.windows.give_up(digest)
        assert run(runner, request(0, prompt)) == (expected, [found])
    assert runner.cache.info().fetched_tokens == 0 and len(disk.asked) == 1


def test_what_comes_makes_no_room_that_others_hold(open_runner):
    disk = Store()
    texts = [ids(n, 700) for n in range(3)]
    expected = [run(open_runner(disk), request(n, text))[0] for n, text in enumerate(texts)]
    runner = open_runner(disk, cache_tokens=CONTEXT, max_sequences=4)
    answers, found = run(runner, *(request(n, text) for n, text in enumerate(texts)))
    assert [[answer] for answer in answers] == expected
    assert min(found) >= 688, "each is fetched once there is room for it"


def test_others_are_read_while_one_is_fetched(open_runner):
    disk, prompt, other = Store(), ids(0, 500), ids(1, 200)
    expected = run(open_runner(disk), request(0, prompt), request(1, other))[0]
    runner = open_runner(disk, inline=False)
    disk.gate.clear()
    scheduler = Scheduler(runner, FAST)
    woken = threading.Event()
    runner.cache.wake_with(woken.set)
    [waits] = scheduler.add(request(0, prompt))
    [follows] = scheduler.add(request(0, prompt[:400]))
    assert scheduler.step() == []
    assert not scheduler.has_work and scheduler.waiting == 2
    assert waits.is_behind != follows.is_behind, "what one needs comes for the other"
    scheduler.drop([follows])
    assert scheduler.step() == []
    assert waits.fetch is not None and not scheduler.has_work
    [reads] = scheduler.add(request(2, ids(5, 200)))
    while reads.finish_reason is None:
        assert scheduler.has_work
        events = scheduler.step()
        assert not waits.is_admitted
    scheduler.drop([reads])
    assert not scheduler.has_work
    disk.gate.set()
    while waits.fetch is not None:
        assert woken.wait(10)
        woken.clear()
        scheduler.receive()
    while waits.finish_reason is None:
        events = scheduler.step()
        assert events
    assert waits.tokens[500:] == expected[0] and waits.cached_tokens == 496
    scheduler.drop([waits])


def test_who_goes_wants_nothing_more(open_runner):
    disk, prompt = Store(), ids(0, 500)
    expected = run(open_runner(disk), request(0, prompt, n=2))[0]
    runner = open_runner(disk, inline=False)
    disk.gate.clear()
    scheduler = Scheduler(runner, FAST)
    first, second = scheduler.add(request(0, prompt, n=2))
    scheduler.step()
    fetch = first.fetch
    scheduler.drop([first])
    assert second.fetch is fetch and not fetch.is_over, "its sibling still waits for it"
    scheduler.drop([second])
    assert fetch.is_over
    disk.gate.set()
    assert run(open_runner(disk), request(0, prompt, n=2))[0] == expected


def test_an_engine_sleeps_until_something_comes(open_runner, monkeypatch):
    disk, prompt = Store(), ids(0, 500)
    expected = run(open_runner(disk), request(0, prompt))[0]
    runner = open_runner(disk, inline=False)
    engine = Engine(runner, None, "toy", costs=FAST)
    turns, turn = [], engine.turn
    monkeypatch.setattr(engine, "turn", lambda order: (turns.append(order), turn(order))[1])
    disk.gate.clear()
    handle = engine.write([request(0, prompt)])
    deadline = time.monotonic() + 20
    while disk.waiting == 0 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.1)
    assert len(turns) < 5, "it does nothing until it is woken"
    disk.gate.set()
    tokens = [token for delta in handle for token in delta.token_ids]
    assert [tokens] == expected
    assert runner.cache.info().fetched_tokens == 496
    engine.close()


def test_policies_and_purposes_go_down_with_the_records(open_runner):
    disk, prompt = Store(), ids(0, 300)
    runner = open_runner(disk)
    call = frozenset(range(320))
    run(runner, request(0, prompt, opens=call))
    uses = {key: disk.get(key).use for key in disk.came}
    assert {use.purpose.name for key, use in uses.items() if key.part is Part.BLOCK} == {"OPEN"}
    run(runner, request(1, prompt))
    of_prompt = [Key(digest, Part.BLOCK) for digest in runner.cache.address(prompt).digests]
    uses = {key: disk.get(key).use for key in of_prompt}
    assert {use.purpose.name for use in uses.values()} == {"TURN"}
    assert min(use.count for use in uses.values()) > 1
