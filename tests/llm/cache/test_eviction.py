"""What is given up first: leaves, by rank; and what makes something worth more."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from pyhades.errors import ArgumentError
from pyhades.llm.cache.eviction import Candidates
from pyhades.llm.cache.kv_cache import KvCache
from pyhades.llm.cache.policies import LONGER, Purpose
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from pyhades.llm.models.layers import CACHE_BLOCK
from tests.support.tiny_texts import ids

FULL = "full_attention"
PLAIN = replace(tiny_config(), layer_types=(FULL,) * 2, num_hidden_layers=2, sliding_window=0)
WINDOWED = tiny_config()
ROOM = 40
"""Blocks."""


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def cache_of(policy="class", config=PLAIN, blocks=ROOM) -> tuple[KvCache, Clock]:
    clock = Clock()
    tokens = blocks * CACHE_BLOCK
    return KvCache(config, tokens, 4, 64, tokens=tokens, policy=policy, clock=clock), clock


def use(cache: KvCache, text: list[int], *, prompt: int | None = None, is_open=False) -> int:
    """Read a text and let go of it; how many blocks of it were found."""
    address = cache.address(text[:prompt])
    cache.prefixes.look_up(address)
    found = address.place.known
    sequence = cache.begin(address)
    while sequence.length < len(text):
        piece = text[sequence.length :][:50]
        cache.append(sequence, len(piece))
        cache.follow(sequence, piece)
    cache.free(sequence, is_open=is_open)
    return found


def kept(cache: KvCache, text: list[int]) -> int:
    return cache.prefixes.known(cache.address(text))


def test_candidates_come_in_order_of_their_last_rank():
    dice, candidates, ranks = random.Random(0), Candidates(), {}
    for _ in range(2000):
        name = dice.randrange(50)
        if dice.random() < 0.1:
            candidates.discard(name)
            ranks.pop(name, None)
        else:
            ranks[name] = (dice.random(),)
            candidates.put(name, ranks[name])
    assert len(candidates) == len(ranks)
    assert len(candidates._heap) <= 2 * 50 + 65, "what is outdated goes"
    assert [candidates.take() for _ in ranks] == sorted(ranks, key=ranks.get)
    assert candidates.take() is None


def test_ends_go_before_beginnings_and_old_before_new():
    cache, clock = cache_of("lru")
    old, new = ids(0, 16 * 16 + 1), ids(1, 16 * 16 + 1)
    for text in (old, new):
        use(cache, text)
        clock.now += 10
    use(cache, ids(2, 20 * 16 + 1))
    assert 0 < kept(cache, old) < 16, "its end is gone, its beginning is there"
    assert kept(cache, new) == 16
    clock.now += 10
    use(cache, old)
    clock.now += 10
    use(cache, ids(3, 20 * 16 + 1))
    assert kept(cache, old) == 16, "it was used again since"


def test_a_beginning_that_others_share_stays_with_them():
    cache, clock = cache_of("lru")
    common = ids(0, 8 * 16)
    use(cache, common + ids(1, 4 * 16 + 1))
    clock.now += 10
    use(cache, common + ids(2, 4 * 16 + 1))
    clock.now += 10
    use(cache, ids(3, 16 * 31 + 1))
    assert kept(cache, common + ids(2, 65)) == 12
    assert kept(cache, common + ids(1, 65)) == 8


def test_what_is_in_use_is_not_given_up():
    cache, clock = cache_of("lru")
    address = cache.address(text := ids(0, 10 * 16 + 1))
    sequence = cache.begin(address)
    for first in range(0, 160, 40):
        cache.append(sequence, 40)
        cache.follow(sequence, text[first : first + 40])
    for seed in range(1, 6):
        clock.now += 10
        use(cache, ids(seed, 25 * 16))
    assert kept(cache, text) == 10
    cache.free(sequence)


def test_what_was_used_often_stays_where_that_counts():
    for policy, stays in (("lfu", True), ("lru", False)):
        cache, clock = cache_of(policy)
        favourite = ids(0, 10 * 16 + 1)
        for _ in range(3):
            use(cache, favourite)
            clock.now += 1
        for seed in range(1, 5):
            clock.now += 10
            use(cache, ids(seed, 20 * 16 + 1))
        assert (kept(cache, favourite) == 10) == stays


def test_none_keeps_what_came_first():
    cache, clock = cache_of("none")
    first = ids(0, 20 * 16 + 1)
    use(cache, first)
    for seed in range(1, 5):
        clock.now += 10
        use(cache, ids(seed, 20 * 16 + 1))
    assert kept(cache, first) == 20


def test_random_keeps_something_and_ends_go_first():
    cache, clock = cache_of("random")
    texts = [ids(seed, 12 * 16 + 1) for seed in range(6)]
    for text in texts:
        clock.now += 10
        use(cache, text)
    assert len(cache.prefixes) <= ROOM + 4
    assert sum(kept(cache, text) for text in texts) == len(cache.prefixes)


def purposes(cache: KvCache, text: list[int]) -> list[str]:
    nodes = cache.prefixes.tree.nodes
    return [nodes[digest].use.purpose.name for digest in cache.address(text).digests]


def test_prompts_are_turns_and_answers_are_plain():
    cache, _ = cache_of(config=WINDOWED)
    text = ids(0, 12 * 16 + 1)
    use(cache, text, prompt=8 * 16 + 1)
    assert purposes(cache, text) == ["TURN"] * 8 + ["PLAIN"] * 4
    windows = {c.node.depth: c.use.purpose.name for c in cache.prefixes.windows.kept.values()}
    assert windows == {8: "TURN", 12: "PLAIN"}


def test_a_chain_of_calls_stays_open_until_its_answer():
    cache, clock = cache_of(config=WINDOWED, blocks=100)
    first = ids(0, 10 * 16 + 1)
    use(cache, first, prompt=6 * 16 + 1, is_open=True)
    assert purposes(cache, first) == ["OPEN"] * 10
    windows = cache.prefixes.windows.kept
    assert {c.node.depth: c.use.purpose.name for c in windows.values()} == {6: "OPEN", 10: "OPEN"}
    second = first + ids(1, 6 * 16)
    use(cache, second, prompt=13 * 16 + 1, is_open=None)
    assert purposes(cache, first) == ["OPEN"] * 10, "it was broken off, and may be asked again"
    clock.now += 5
    use(cache, second, prompt=13 * 16 + 1, is_open=False)
    assert purposes(cache, second) == ["TURN"] * 13 + ["PLAIN"] * 3
    assert {c.use.purpose.name for c in windows.values()} <= {"TURN", "PLAIN"}


@pytest.mark.parametrize(("waits", "stays"), [(0.5, True), (1.5, False)])
def test_an_open_chain_counts_as_used_later(waits, stays):
    cache, clock = cache_of()
    chain = ids(0, 10 * 16 + 1)
    use(cache, chain, is_open=True)
    for seed in range(1, 5):
        clock.now += waits * LONGER[Purpose.OPEN] if seed == 1 else 1
        use(cache, ids(seed, 20 * 16 + 1), prompt=1)
    assert (kept(cache, chain) == 10) == stays


def test_declared_beginnings_stay():
    cache, clock = cache_of()
    system = ids(0, 10 * 16)
    cache.declare(system)
    use(cache, system + ids(1, 33))
    for seed in range(2, 8):
        clock.now += 1000
        use(cache, ids(seed, 25 * 16))
    assert kept(cache, [*system, 1]) == 10
    assert purposes(cache, [*system, 1]) == ["DECLARED"] * 10


def test_windows_are_refreshed_only_where_a_text_is_resumed():
    cache, clock = cache_of(config=WINDOWED)
    text = ids(0, 20 * 16 + 1)
    address = cache.address(text, points=[64, 130])
    assert {4, 8, 20} <= address.points
    sequence = cache.begin(address)
    for first in range(0, 320, 40):
        cache.append(sequence, 40)
        cache.follow(sequence, text[first : first + 40])
    cache.free(sequence)
    clock.now += 10
    use(cache, text)
    used = {c.node.depth: c.use.last for c in cache.prefixes.windows.kept.values()}
    assert used == {4: 1000.0, 8: 1000.0, 20: 1010.0}


def test_an_unknown_policy():
    with pytest.raises(ArgumentError, match="none of 'class', 'lru'"):
        cache_of("fifo")


def test_books_are_right_whatever_happens():
    """Texts that grow, part, go back and are given up, by every policy."""
    for policy in ("class", "lru", "lfu", "random", "none"):
        dice = random.Random(policy)
        cache, clock = cache_of(policy, WINDOWED, 60)
        texts = [ids(seed, 300) for seed in range(5)]
        live = []
        for _ in range(400):
            clock.now += dice.random()
            if len(live) < 3 and dice.random() < 0.3:
                text = dice.choice(texts)[: dice.randrange(20, 300)] + ids(dice.randrange(9), 20)
                address = cache.address(text, str(dice.randrange(2)))
                cache.prefixes.look_up(address)
                live.append((cache.begin(address), text))
            for sequence, text in list(live):
                piece = text[sequence.length :][: dice.randrange(1, 60)]
                if not piece or dice.random() < 0.03:
                    cache.free(sequence, is_open=dice.choice([None, True, False]))
                    live.remove((sequence, text))
                elif all(
                    cache.free_blocks[kind] >= count
                    for kind, count in cache.needed(sequence, len(piece)).items()
                ):
                    cache.append(sequence, len(piece))
                    cache.follow(sequence, piece)
        for sequence, _ in live:
            cache.free(sequence)
        nodes = cache.prefixes.tree.nodes
        for pool in cache.pools.values():
            assert pool.free_blocks == pool.blocks
            if not pool.window:
                assert len(pool.idle) == len(nodes)
        leaves = {digest for digest, node in nodes.items() if not node.children}
        assert leaves <= cache.prefixes.tree._leaves._current.keys()
