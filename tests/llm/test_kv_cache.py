"""Blocks of the KV cache: who holds them, and what a fork shares."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades.errors import ArgumentError, CapacityError
from pyhades.llm.cache.kv_cache import FREED, KvCache, Sequence
from pyhades.llm.models.gpt_oss.config import GptOssConfig
from pyhades.llm.models.layers import CACHE_BLOCK

FULL, SLIDING = "full_attention", "sliding_attention"


@pytest.fixture
def cache() -> KvCache:
    config = GptOssConfig(
        num_hidden_layers=3, hidden_size=64, intermediate_size=64, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, vocab_size=100, num_local_experts=4,
        num_experts_per_tok=2, sliding_window=32, layer_types=(SLIDING, FULL, SLIDING),
        max_position_embeddings=1000, rope_theta=1e4, rope_scaling=None,
    )  # fmt: skip
    return KvCache(config, context_length=256, sequences=2, step_tokens=64)


def held(cache: KvCache) -> dict[str, int]:
    return {kind: pool.blocks - pool.free_blocks for kind, pool in cache.pools.items()}


def grow(cache: KvCache, sequence: Sequence, tokens: int) -> dict[str, np.ndarray]:
    slots = dict(cache.append(sequence, tokens))
    cache.forget(sequence)
    return slots


def test_slots_are_distinct_and_consecutive_in_their_block(cache):
    text, other = cache.sequence(), cache.sequence()
    seen = np.concatenate([cache.append(text, 20)[FULL], cache.append(other, 7)[FULL],
                           cache.append(text, 30)[FULL]])  # fmt: skip
    assert len(set(seen)) == 57
    of_text = np.concatenate([seen[:20], seen[27:]])
    assert np.all(of_text % CACHE_BLOCK == np.arange(50) % CACHE_BLOCK)
    assert np.all(of_text // CACHE_BLOCK == np.repeat(text.blocks[FULL], CACHE_BLOCK)[:50])


def test_pools_have_a_row_per_layer_of_their_kind(cache):
    assert cache.pools[FULL].memory.shape[0] == 1 and cache.pools[SLIDING].memory.shape[0] == 2
    assert cache.pools[FULL].block_bytes == 2 * 2 * CACHE_BLOCK * 16 * 2


def test_a_sliding_layer_keeps_its_window_only(cache):
    text = cache.sequence()
    for _ in range(200):
        grow(cache, text, 1)
    blocks = text.blocks[SLIDING]
    # Token 200 sees positions 169 to 200, token 184 those from 153 on, which lie in block 9.
    assert [i for i, block in enumerate(blocks) if block != FREED] == [9, 10, 11, 12]
    assert held(cache) == {SLIDING: 4, FULL: 13}


def test_the_context_is_a_limit_and_a_refusal_changes_nothing(cache):
    text = cache.sequence()
    for _ in range(4):
        grow(cache, text, 64)
    before = held(cache)
    with pytest.raises(CapacityError, match="256"):
        cache.append(text, 1)
    assert text.length == 256 and held(cache) == before


def test_a_fork_shares_full_blocks_and_copies_the_last(cache):
    text = cache.sequence()
    grow(cache, text, 20)
    pool = cache.pools[FULL]
    pool.memory[:] = np.random.default_rng(0).integers(0, 255, pool.memory.shape)
    branch = cache.fork(text)
    assert held(cache)[FULL] == 2
    cache.append(branch, 1)
    assert branch.blocks[FULL][0] == text.blocks[FULL][0]
    mine, copy = text.blocks[FULL][1], branch.blocks[FULL][1]
    assert mine != copy
    blocks = pool.memory.reshape(1, pool.blocks, pool.block_bytes)
    assert np.array_equal(blocks[:, mine], blocks[:, copy])
    cache.append(text, 1)
    assert text.blocks[FULL][1] == mine, "the only user of a block does not copy it"


def test_everything_comes_back(cache):
    texts = [cache.sequence() for _ in range(2)]
    grow(cache, texts[0], 40)
    branch = cache.fork(texts[0])
    grow(cache, branch, 30)
    grow(cache, texts[1], 9)
    for sequence in (*texts, branch):
        cache.free(sequence)
    assert held(cache) == {SLIDING: 0, FULL: 0}


def test_truncate_goes_back_within_the_window(cache):
    text = cache.sequence()
    grow(cache, text, 50)
    cache.truncate(text, 45)
    assert text.length == 45 and len(text.blocks[FULL]) == 3
    cache.truncate(text, 34)
    slots = cache.append(text, 2)
    assert slots[FULL][0] % CACHE_BLOCK == 2


def test_truncate_refuses_what_has_left_the_window(cache):
    text = cache.sequence()
    grow(cache, text, 60)
    checkpoint = cache.fork(text)
    grow(cache, text, 60)
    with pytest.raises(ArgumentError, match="fork"):
        cache.truncate(text, 60)
    assert text.length == 120
    cache.truncate(checkpoint, 60)
    grow(cache, checkpoint, 5)
    assert checkpoint.length == 65


@pytest.mark.parametrize("length", [-1, 21])
def test_truncate_checks_the_length(cache, length):
    text = cache.sequence()
    grow(cache, text, 20)
    with pytest.raises(ArgumentError, match=str(length)):
        cache.truncate(text, length)


def test_an_unknown_format(cache):
    with pytest.raises(ArgumentError, match="none of 'bf16', 'int8'"):
        KvCache(cache_config(cache), 32, 1, 16, kv_format="fp4")


def cache_config(cache: KvCache) -> GptOssConfig:
    return GptOssConfig(1, 64, 64, 4, 2, 16, 100, 4, 2, 32, (FULL,), 1000, 1e4, None)
