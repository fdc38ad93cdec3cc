"""What was read is found again: it saves reading, changes no bit, and is in nobody's way."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

import pyhades
from pyhades.llm.cache import trails
from pyhades.llm.cache.addresses import Names, bytes_of
from pyhades.llm.cache.pool import FREED
from pyhades.llm.engine.request import Request
from pyhades.llm.engine.runner import Piece, Runner
from pyhades.llm.engine.scheduler import Scheduler
from pyhades.llm.engine.step_costs import StepCosts
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from pyhades.llm.models.layers import CACHE_BLOCK
from tests.support.tiny_texts import ids, request

FULL, SLIDING = "full_attention", "sliding_attention"
WINDOWED = tiny_config(vocab_size=320)
PLAIN = replace(WINDOWED, layer_types=(FULL,) * len(WINDOWED.layer_types), sliding_window=0)
CONFIGS = {"windowed": WINDOWED, "plain": PLAIN}
CONTEXT = 1024


@pytest.fixture(scope="module", params=CONFIGS)
def model(request):
    config = CONFIGS[request.param]
    return config, random_weights(config, "balanced", threads=1)


@pytest.fixture
def open_runner(model):
    runners = []

    def open_one(sequences=8, cache_tokens=None, step_tokens=64, prefix_cache=True):
        runner = Runner(
            *model, CONTEXT, sequences, 1, step_tokens=step_tokens, cache_tokens=cache_tokens,
            prefix_cache=prefix_cache,
        )  # fmt: skip
        runners.append(runner)
        return runner

    yield open_one
    for runner in runners:
        runner.close()


class Costs(StepCosts):
    """As stated, whatever steps take here."""

    def learn(self, rows: int, looks: int, seconds: float) -> None:
        pass


class Counting:
    """A scheduler that counts what goes through the model."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.rows = 0
        self.time = 0.0
        self.scheduler = Scheduler(runner, Costs([1, 512], [1e-6, 1e-3]), clock=lambda: self.time)

    def step(self):
        before = {id(a): a.sequence.length for a in self.scheduler.answers if a.is_admitted}
        events = self.scheduler.step()
        self.time += 0.1
        for answer in self.scheduler.answers:
            if answer.is_admitted and id(answer) in before:
                self.rows += answer.sequence.length - before[id(answer)]
            elif answer.is_admitted and answer.index == 0:
                self.rows += answer.sequence.length - answer.cached_tokens
        if self.scheduler.steps % 8 == 0:
            check_books(self.runner, [a.sequence for a in self.scheduler.answers])
        return events

    def run(self, *requests: Request) -> dict[tuple[int, int], list[int]]:
        tokens: dict[tuple[int, int], list[int]] = {}
        for one in requests:
            self.scheduler.add(one)
        while self.scheduler.has_work:
            events = self.step()
            for event in events:
                assert event.error is None
                key = event.answer.request.number, event.answer.index
                tokens.setdefault(key, []).append(event.token)
            self.scheduler.drop([e.answer for e in events if e.answer.finish_reason is not None])
        return tokens


def check_books(runner: Runner, sequences) -> None:
    """Every block has the users that it says, and all others are free."""
    cache, kept = runner.cache, runner.cache.prefixes
    for kind, pool in cache.pools.items():
        held = Counter(b for s in sequences for b in s.blocks[kind] if b != FREED)
        keeps: Counter[int] = Counter()
        if kept is not None and pool.window:
            for checkpoint in kept.windows.kept.values():
                keeps.update(checkpoint.windows[kind])
        elif kept is not None:
            keeps.update(node.blocks[kind] for node in kept.tree.nodes.values())
            assert set(keeps) == set(kept.tree._node_of[kind])
        for block in range(pool.blocks):
            assert pool.users(block) == (held[block] + keeps[block], keeps[block])
        assert set(pool.idle) == set(keeps) - set(held)
        assert sorted([*pool._free, *{*held, *keeps}]) == list(range(pool.blocks))
        assert pool.free_blocks == pool.blocks - len(held)
    if kept is not None:
        nodes = kept.tree.nodes
        children = Counter(node.parent.digest for node in nodes.values())
        for node in nodes.values():
            assert node.depth == 1 or nodes[node.parent.digest] is node.parent
            assert node.children == children[node.digest]
        assert all(digest in nodes for digest in kept.windows.kept)


def test_the_next_turn_of_a_chat_reads_what_is_new(open_runner):
    model = Counting(open_runner())
    history = ids(0, 500)
    for turn in range(3):
        history += ids(turn + 1, 40)
        before = model.rows
        [written] = model.run(request(turn, history, 30)).values()
        read = model.rows - before
        assert read <= (540 + 30 if turn == 0 else 40 + 30 + 2 * CACHE_BLOCK)
        history += written
    fresh = Counting(open_runner(prefix_cache=False))
    assert list(fresh.run(request(2, history[:-30], 30)).values()) == [history[-30:]]


def test_a_prompt_that_came_before_is_not_read_again(open_runner):
    model = Counting(open_runner())
    prompt = ids(0, 333)
    first = model.run(request(0, prompt))
    before = model.rows
    assert model.run(request(0, prompt)) == first
    assert model.rows - before <= 333 % CACHE_BLOCK + 8


def test_many_that_begin_alike_and_come_at_once_read_their_beginning_once(open_runner):
    requests = [request(n, ids(0, 400) + ids(n + 1, 10 + 3 * n), 4, n=1 + n % 2) for n in range(6)]
    model = Counting(open_runner(sequences=12))
    tokens = model.run(*requests)
    new = sum(len(r.tokens) - 400 for r in requests)
    assert model.rows <= 400 + new + 6 * CACHE_BLOCK + 4 * len(tokens)
    assert Counting(open_runner(sequences=12, prefix_cache=False)).run(*requests) == tokens


def test_where_two_texts_part_a_third_can_go_on(open_runner):
    """The second one reads the stretch without windows again, and leaves one where it parts."""
    model = Counting(open_runner())
    costs = []
    for number in range(3):
        before = model.rows
        model.run(request(number, ids(0, 640) + ids(number + 1, 200), 1))
        costs.append(model.rows - before)
    assert costs[0] >= 840 - 1
    assert costs[1] <= 840
    assert costs[2] <= 200 + CACHE_BLOCK


def test_clients_find_nothing_of_each_other(open_runner):
    model = Counting(open_runner())
    prompt = ids(0, 200)
    model.run(request(0, prompt, client="a"))
    for client, found in (("b", 0), ("a", 192), ("b", 64)):  # b had a step before
        [answer] = model.scheduler.add(request(1, prompt, client=client))
        model.step()
        assert answer.cached_tokens == found
        model.scheduler.drop([answer])


def test_a_declared_beginning_is_found_by_all_clients(open_runner):
    runner = open_runner()
    model, system = Counting(runner), ids(0, 170)
    runner.cache.declare(system)
    alone = Counting(open_runner(prefix_cache=False))
    for number, (client, found) in enumerate((("a", 0), ("b", 160), ("c", 160))):
        one = request(number, system + ids(number + 1, 60), client=client)
        [answer] = model.scheduler.add(one)
        written = model.run()
        assert answer.cached_tokens == found
        assert list(written.values()) == list(alone.run(one).values())


def test_checkpoints_stand_where_others_are_likely_to_go_on(open_runner):
    runner = open_runner()
    if SLIDING not in runner.cache.pools:
        pytest.skip("every node is a checkpoint without windows")
    one = replace(request(0, ids(0, 300)), points=(50, 170, 300))
    Counting(runner).run(one)
    windows = runner.cache.prefixes.windows.kept.values()
    assert {3, 10, 18} <= {checkpoint.node.depth for checkpoint in windows}


def test_what_is_kept_makes_room_before_anybody_waits_or_gives_way(open_runner):
    runner = open_runner(sequences=4, cache_tokens=CONTEXT)
    model = Counting(runner)
    for number in range(12):  # four times what there is room for
        model.run(request(number, ids(number, 330)))
    assert runner.cache.prefixes.counts.evicted > 20
    requests = [request(number, ids(number, 200), 30) for number in range(20, 24)]
    answers = [model.scheduler.add(one)[0] for one in requests]
    while not all(answer.is_admitted for answer in answers):
        model.step()
        assert model.scheduler.steps < 1000
    model.run()
    assert model.scheduler.preemptions == 0


def test_what_was_used_last_is_kept(open_runner):
    model = Counting(open_runner(sequences=2, cache_tokens=CONTEXT))
    favourite = ids(0, 300)
    for number in range(1, 10):
        model.run(request(0, favourite, 2), request(number, ids(number, 300), 2))
    before = model.rows
    model.run(request(0, favourite, 2))
    assert model.rows - before <= 300 % CACHE_BLOCK + 2 + CACHE_BLOCK


def test_chats_that_come_and_go_at_random(open_runner):
    """Trees of turns, some dropped in the middle, by several clients; all as without reuse."""
    dice = random.Random(0)
    systems = [ids(100 + n, 70 * n) for n in range(4)]
    plain = Counting(open_runner(prefix_cache=False))
    known: dict[tuple, list[int]] = {}
    model = Counting(open_runner(cache_tokens=1500))
    chats = [list(dice.choice(systems)) + ids(n, 5) for n in range(8)]
    live: dict[int, tuple] = {}
    tokens: dict[object, list[int]] = {}
    for _ in range(300):
        free = [n for n in range(8) if n not in live]
        if free and dice.random() < 0.25:
            chat = dice.choice(free)
            if len(chats[chat]) > 500:
                chats[chat] = list(dice.choice(systems)) + ids(dice.randrange(99), 9)
            one = request(chat, chats[chat], dice.randrange(1, 40), 1 + dice.randrange(2),
                          client=str(chat % 2))  # fmt: skip
            live[chat] = one, model.scheduler.add(one)
            tokens.update({answer: [] for answer in live[chat][1]})
        if live and dice.random() < 0.02:
            model.scheduler.drop(live.pop(dice.choice(list(live)))[1])
        kept = model.runner.cache.prefixes
        if kept.checkpoints and dice.random() < 0.2:
            kept.windows.give_up(dice.choice(list(kept.windows.kept)))
        events = model.step()
        for event in events:
            tokens[event.answer].append(event.token)
        model.scheduler.drop([e.answer for e in events if e.answer.finish_reason is not None])
        for chat, (one, answers) in list(live.items()):
            if all(answer.finish_reason is not None for answer in answers):
                del live[chat]
                key = one.number, one.tokens, one.max_tokens, one.params.n
                if key not in known:
                    known[key] = list(plain.run(one).values())
                assert [tokens[answer] for answer in answers] == known[key]
                chats[chat] += [*tokens[answers[0]], *ids(dice.randrange(99), 20)]
    assert len(known) > 12
    counts = model.runner.cache.prefixes.counts
    assert counts.found > 1500
    assert (counts.rederived > 0) == (SLIDING in model.runner.cache.pools)
    for _, answers in live.values():
        model.scheduler.drop(answers)
    check_books(model.runner, [])


def test_logits_of_a_resumed_text_are_the_same_to_the_bit(open_runner):
    runner = open_runner()
    cache, text = runner.cache, ids(0, 300)
    first = cache.begin(cache.address(text))
    rows = [runner.run([Piece(first, text[i : i + 50], 1)])[0].copy() for i in range(0, 300, 50)]
    cache.free(first)
    address = cache.address(text)
    cache.prefixes.look_up(address)
    again = cache.begin(address)
    assert again.length == 288
    np.testing.assert_array_equal(runner.run([Piece(again, text[288:], 1)])[0], rows[-1])


def test_a_text_that_goes_back_is_found_as_far_as_it_holds(open_runner):
    runner = open_runner(step_tokens=128)
    cache, text = runner.cache, ids(0, 70)
    sequence = cache.begin(cache.address(text))
    runner.run([Piece(sequence, text, 1)])
    cache.truncate(sequence, 60)
    assert sequence.trail.begun == text[48:60]
    other = [*text[:60], *ids(1, 40)]
    fork = cache.fork(sequence)
    runner.run([Piece(sequence, other[60:], 1), Piece(fork, text[60:], 1)])
    cache.free(sequence)
    cache.free(fork)
    check_books(runner, [])
    for tokens, depth in ((text, 4), (other, 6), (other[:60], 3)):
        assert cache.prefixes.known(cache.address(tokens)) == depth


def test_checkpoints_of_a_long_text_stand_at_even_distances(open_runner, monkeypatch):
    monkeypatch.setattr(trails, "CHECKPOINT_TOKENS", 128)
    runner = open_runner()
    if SLIDING not in runner.cache.pools:
        pytest.skip("every node is a checkpoint without windows")
    model = Counting(runner)
    model.run(request(0, ids(0, 1000), 1))
    depths = [each.node.depth for each in runner.cache.prefixes.windows.kept.values()]
    assert set(range(8, 57, 8)) | {1000 // CACHE_BLOCK} <= set(depths)


def test_names_of_texts():
    facts = {"model": "a", "keys and values": "bf16"}
    block = bytes_of(range(16))
    names = {
        (of := Names(changed)).child(of.root, block, client)
        for changed in (facts, {**facts, "model": "ab"}, {"model": "a" + "keys and values"}, {})
        for client in ("", "a", "model")
    }
    assert len(names) == 12


def test_models_tell_what_they_found():
    prompt = "import numpy as np\n" * 20
    with pyhades.LLM(threads=1) as llm:
        first = llm.generate(prompt, max_tokens=4, temperature=0)
        again = llm.generate(prompt, max_tokens=4, temperature=0)
        assert again.token_ids == first.token_ids
        timing = again.completions[0].timing
        assert first.completions[0].timing.cached_tokens == 0
        assert timing.prompt_tokens - 17 <= timing.cached_tokens < timing.prompt_tokens
        assert f"{timing.cached_tokens} of them before" in again.completions[0].summary()
        info = llm.cache_info()
        assert info.cached_tokens == timing.cached_tokens
        assert info.prompt_tokens == 2 * timing.prompt_tokens
        assert 0 < info.kept_tokens <= info.room
    with pyhades.LLM(threads=1, prefix_cache=False) as llm:
        assert llm.generate(prompt, max_tokens=4, temperature=0).token_ids == first.token_ids
        timing = llm.generate(prompt, max_tokens=1).completions[0].timing
        assert timing.cached_tokens == 0 and llm.cache_info().kept_tokens == 0


def test_usage_of_a_chat_tells_what_was_cached():
    messages = [{"role": "user", "content": "What is a list? " * 20}]
    with pyhades.LLM(threads=1) as llm:
        first = llm.chat(messages, max_tokens=8, date=None)
        assert first.usage.cached_tokens == 0
        messages += [first.message, {"role": "user", "content": "And a tuple?"}]
        second = llm.chat(messages, max_tokens=4, date=None, n=2)
        assert all(choice.usage.cached_tokens > 80 for choice in second.choices)
        streamed = list(llm.chat(messages, max_tokens=4, date=None, stream=True))
        assert streamed[-1].usage.cached_tokens >= second.usage.cached_tokens
