"""Who finds whose texts: by names that tell apart what must not be mixed up."""

from __future__ import annotations

import pytest

from pyhades.llm.cache.addresses import Names, bytes_of
from pyhades.llm.cache.kv_cache import KvCache
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from tests.support.tiny_texts import ids


def cache_of(**options) -> KvCache:
    return KvCache(tiny_config(), 512, 4, 512, **options)


def read(cache: KvCache, text: list[int], client: str = "") -> None:
    sequence = cache.begin(cache.address(text, client))
    cache.append(sequence, len(text))
    cache.follow(sequence, text)
    cache.free(sequence)


def found(cache: KvCache, text: list[int], client: str = "") -> int:
    return cache.prefixes.known(cache.address(text, client))


def test_clients_find_their_own_only():
    cache, text = cache_of(), ids(0, 200)
    read(cache, text, "ann")
    assert [found(cache, text, client) for client in ("ann", "bob", "", "an")] == [12, 0, 0, 0]


def test_declared_beginnings_are_found_by_all_and_nothing_else_is():
    cache, system = cache_of(), ids(0, 100)
    cache.declare(system)
    of_ann = system + ids(1, 100)
    read(cache, of_ann, "ann")
    assert found(cache, of_ann, "ann") == 12
    assert found(cache, of_ann, "bob") == 6, "whole blocks of 100 tokens"
    assert found(cache, system[:50] + ids(2, 50), "bob") == 3, "a part of it, too"
    read(cache, of_ann, "bob")
    assert len(cache.prefixes) == 6 + 2 * 6
    address = cache.address(of_ann, "bob")
    assert 6 in address.points, "texts part where it ends"


def test_what_is_declared_later_is_read_once_more():
    cache, system = cache_of(), ids(0, 96)
    read(cache, system + ids(1, 20), "ann")
    cache.declare(system)
    assert found(cache, system + ids(1, 20), "ann") == 0
    read(cache, system + ids(1, 20), "ann")
    assert found(cache, system + ids(2, 20), "bob") == 6


def test_several_beginnings_may_be_declared():
    cache = cache_of()
    short, long = ids(0, 48), ids(0, 48) + ids(1, 48)
    cache.declare(long)
    cache.declare(short)
    read(cache, long + ids(2, 50), "ann")
    assert found(cache, long + ids(3, 50), "bob") == 6
    assert {3, 6} <= cache.address([*long, 1], "bob").points


def test_an_answer_that_writes_a_declared_beginning_is_named_as_a_prompt_is():
    cache, system = cache_of(), ids(0, 96)
    cache.declare(system)
    sequence = cache.begin(cache.address(system[:20], "ann"))
    for token in system:
        cache.append(sequence, 1)
        cache.follow(sequence, [token])
    cache.free(sequence)
    assert found(cache, [*system, 1], "bob") == 6


@pytest.mark.parametrize("change", [{"weights": "b"}, {"tier": "scalar"}, {}])
def test_facts_change_names(change):
    facts = {"weights": "a", "tier": "avx2"}
    mine, other = cache_of(facts=facts), cache_of(facts=facts | change)
    same = mine.address(ids(0, 40)).digests == other.address(ids(0, 40)).digests
    assert same == (not change)


def test_formats_and_models_change_names():
    text = ids(0, 40)
    names = {
        bytes(KvCache(config, 512, 2, 64, kv_format).address(text).digests[0])
        for config in (tiny_config(), tiny_config(sliding_window=48), tiny_config(rope_theta=1e4))
        for kv_format in ("bf16", "int8")
    }
    assert len(names) == 6


def test_names_do_not_run_into_each_other():
    names, tokens = Names({}), bytes_of(range(16))
    clients = ["", "a", "client", "clienta", "ü", "\udcff"]
    assert len({names.child(names.root, tokens, client) for client in clients}) == len(clients)
    inner = names.child(names.root, tokens, "a")
    assert names.child(inner, tokens, "a") == names.child(inner, tokens, "b")


def test_unequal_tokens_count_as_a_miss():
    """Should two texts ever have one name, or something be damaged, nothing is mixed up."""
    cache, text = cache_of(), ids(0, 200)
    read(cache, text)
    nodes, digests = cache.prefixes.tree.nodes, cache.address(text).digests
    nodes[digests[5]].tokens = bytes_of(range(16))
    assert found(cache, text) == 5
    address = cache.address(text)
    cache.prefixes.look_up(address)
    assert address.place.known == 5
    sequence = cache.begin(address)
    rest = text[sequence.length :]
    cache.append(sequence, len(rest))
    cache.follow(sequence, rest)
    mine = sequence.blocks["full_attention"]
    assert mine[5] != nodes[digests[5]].blocks["full_attention"], "it is read into its own block"
    assert sequence.trail.is_lost and sequence.trail.length == 200
    cache.free(sequence)
    assert all(pool.free_blocks == pool.blocks for pool in cache.pools.values())
