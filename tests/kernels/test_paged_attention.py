"""Attention over a paged cache, and what stores into it, against NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError
from pyhades.kernels import reference
from pyhades.kernels.reference.paged_attention import cached
from tests.support.guarded import guarded, guarded_empty

HEAD_DIM = 32


@dataclass
class Cache:
    """Sequences in a pool whose blocks are in disorder."""

    pool: np.ndarray
    block_table: np.ndarray
    kv_heads: int
    kv_format: str


def random(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def fill(lengths, kv_heads=2, head_dim=HEAD_DIM, kv_format="bf16", spare=3) -> Cache:
    """A cache that holds random keys and values for sequences of these lengths."""
    per_sequence = -(-max(lengths) // 16)
    blocks = len(lengths) * per_sequence + spare
    order = np.random.default_rng(7).permutation(blocks)[: len(lengths) * per_sequence]
    table = order.reshape(len(lengths), per_sequence).astype(np.int32)
    block_bytes = kernels.cache_block_bytes(kv_heads, head_dim, kv_format)
    pool = np.zeros(blocks * block_bytes, np.uint8)
    for sequence, length in enumerate(lengths):
        places = np.arange(length)
        slots = (table[sequence][places // 16] * 16 + places % 16).astype(np.int32)
        qkv = random(sequence, length, 3 * kv_heads * head_dim)
        still = np.tile(np.repeat(np.float32([1, 0]), head_dim // 2), (length, 1))
        reference.rope_store(
            qkv, still, pool, slots, heads=kv_heads, kv_heads=kv_heads, kv_format=kv_format
        )
    return Cache(pool, table, kv_heads, kv_format)


def attend(module, cache, q, new, lengths, head_dim=HEAD_DIM, **keywords):
    first_token = np.concatenate([[0], np.cumsum(new)]).astype(np.int32)
    return module.paged_attention(
        q, cache.pool, cache.block_table, first_token, np.asarray(lengths, np.int32),
        kv_heads=cache.kv_heads, head_dim=head_dim, kv_format=cache.kv_format, **keywords,
    )  # fmt: skip


def assert_close(actual, expected):
    """Weights are good to some ulp of their scores, values of size 4 are averaged with them."""
    assert np.abs(actual - expected).max() <= 4 * 64 * 2.0**-24


@pytest.mark.covers("paged_attention_bf16")
@pytest.mark.parametrize("heads", [2, 4, 10, 16])
@pytest.mark.parametrize(("new", "lengths"), [([1], [1]), ([5], [5]), ([1, 3, 2], [40, 3, 17])])
@pytest.mark.parametrize("window", [None, 1, 16, 21])
def test_bf16(isa, heads, new, lengths, window):
    cache, q = fill(lengths), random(9, sum(new), heads * HEAD_DIM)
    options = {"window": window, "sinks": random(3, heads)}
    one = attend(kernels, cache, q, new, lengths, isa=isa, threads=1, **options)
    assert_close(one, attend(reference, cache, q, new, lengths, **options))
    two = attend(kernels, cache, q, new, lengths, isa=isa, threads=2, **options)
    np.testing.assert_array_equal(one, two)


@pytest.mark.covers("paged_attention_int8")
@pytest.mark.parametrize("heads", [2, 6])
@pytest.mark.parametrize("window", [None, 9])
def test_int8(isa, heads, window):
    lengths, new = [35, 16], [2, 16]
    cache, q = fill(lengths, kv_format="int8"), random(9, 18, heads * HEAD_DIM)
    actual = attend(kernels, cache, q, new, lengths, isa=isa, window=window)
    assert_close(actual, attend(reference, cache, q, new, lengths, window=window))


@pytest.mark.parametrize("kv_format", ["bf16", "int8"])
@pytest.mark.parametrize("length", [511, 512, 513, 1040])
def test_long_sequences_in_partitions(isa, kv_format, length):
    cache, q = fill([length], kv_format=kv_format), random(1, 1, 4 * HEAD_DIM)
    for window in (None, 520):
        options = {"window": window, "sinks": np.float32([5, -5, 0, 90])}
        actual = attend(kernels, cache, q, [1], [length], isa=isa, **options)
        assert_close(actual, attend(reference, cache, q, [1], [length], **options))


def test_a_token_does_not_depend_on_the_rest_of_the_step(isa):
    """Chunks of a prompt, and other sequences beside it, change no bit."""
    cache, q = fill([600, 30]), random(2, 600, 4 * HEAD_DIM)
    whole = attend(kernels, cache, q, [600, 0], [600, 30], isa=isa, window=100)
    for begin, end in [(0, 7), (7, 520), (520, 600)]:
        rows = np.concatenate([q[begin:end], q[:2]])
        piece = attend(kernels, cache, rows, [end - begin, 2], [end, 30], isa=isa, window=100)
        np.testing.assert_array_equal(piece[: end - begin], whole[begin:end])


@pytest.mark.parametrize("kv_format", ["bf16", "int8"])
@pytest.mark.parametrize(
    ("heads", "kv_heads", "head_dim"),
    [(8, 1, 32), (3, 1, 48), (14, 2, 16), (20, 1, 64), (2, 2, 128), (130, 1, 16)],
)
def test_tokens_that_visit_together_come_to_the_same_bits(
    isa, kv_format, heads, kv_heads, head_dim
):
    """Whatever heads share a key, wherever partitions, blocks and windows cut the tokens."""
    length, new = 530, 45
    cache = fill([length], kv_heads, head_dim, kv_format)
    q, sinks = random(1, new, heads * head_dim), random(3, heads)
    for window in (None, 1, 21, 500):
        options = {"head_dim": head_dim, "window": window, "sinks": sinks, "isa": isa}
        whole = attend(kernels, cache, q, [new], [length], **options)
        for token in (0, 1, 14, 15, 26, 27, 44):
            seen = length - new + token + 1
            alone = attend(kernels, cache, q[token : token + 1], [1], [seen], **options)
            np.testing.assert_array_equal(alone[0], whole[token])


@pytest.mark.parametrize("kv_format", ["bf16", "int8"])
@pytest.mark.parametrize("new", [2, 3, 9, 40])
def test_several_tokens_of_several_sequences(isa, kv_format, new):
    lengths = [new, 514, 33]
    cache, q = fill(lengths, kv_format=kv_format), random(4, new + 3, 6 * HEAD_DIM)
    for window in (None, 17):
        arguments = (cache, q, [new, 2, 1], lengths)
        actual = attend(kernels, *arguments, isa=isa, window=window)
        assert_close(actual, attend(reference, *arguments, window=window))


@pytest.mark.parametrize("new", [1, 3])
def test_what_a_block_held_before_does_not_matter(isa, new):
    """Blocks are used again: what an earlier sequence left behind the end may be anything."""
    cache, q = fill([21], kv_heads=1), random(2, new, 4 * HEAD_DIM)
    clean = attend(kernels, cache, q, [new], [21], isa=isa)
    places = np.arange(21, 32)
    slots = (cache.block_table[0][places // 16] * 16 + places % 16).astype(np.int32)
    left = np.full((11, 3 * HEAD_DIM), np.nan, np.float32)
    still = np.tile(np.repeat(np.float32([1, 0]), HEAD_DIM // 2), (11, 1))
    kernels.rope_store(left, still, cache.pool, slots, heads=1, kv_heads=1)
    np.testing.assert_array_equal(attend(kernels, cache, q, [new], [21], isa=isa), clean)


def test_blocks_outside_the_window_may_be_gone(isa):
    cache, q = fill([100]), random(2, 1, 4 * HEAD_DIM)
    expected = attend(kernels, cache, q, [1], [100], isa=isa, window=20)
    cache.block_table[0, :5] = -1
    actual = attend(kernels, cache, q, [1], [100], isa=isa, window=20)
    np.testing.assert_array_equal(actual, expected)
    with pytest.raises(ArgumentError, match="pool has slots"):
        attend(kernels, cache, q, [1], [100], isa=isa, window=21 + 80)


@pytest.mark.parametrize("head_dim", [16, 48, 64, 128])
@pytest.mark.parametrize("new", [1, 2, 5])
@pytest.mark.parametrize("at", ["start", "end"])
@pytest.mark.covers("paged_attention_bf16", "paged_attention_int8")
def test_touches_nothing_outside(isa, head_dim, new, at):
    for kv_format in ("bf16", "int8"):
        cache = fill([33], kv_heads=1, head_dim=head_dim, kv_format=kv_format, spare=0)
        q = random(1, new, 3 * head_dim)
        expected = attend(reference, cache, q, [new], [33], head_dim)
        cache.pool = guarded(cache.pool, at=at)
        out = guarded_empty(q.shape, np.float32, at=at)
        rows = guarded(q, at=at)
        attend(kernels, cache, rows, [new], [33], head_dim, isa=isa, out=out)
        assert_close(out, expected)


@pytest.mark.covers("rope_table_f32")
def test_angles_far_out():
    positions = np.int32([0, 1, 4095, 131071])
    frequencies = (150000.0 ** (-np.arange(32) / 32)).astype(np.float32)
    actual = kernels.rope_table(positions, frequencies, 1.3465)
    expected = reference.rope_table(positions, frequencies, 1.3465)
    assert np.abs(actual - expected).max() <= 2.0**-22


@pytest.mark.covers("rope_store_f32")
@pytest.mark.parametrize("kv_format", ["bf16", "int8"])
@pytest.mark.parametrize("head_dim", [16, 34, 64])
@pytest.mark.parametrize("at", ["start", "end"])
def test_stores_what_the_reference_stores(isa, kv_format, head_dim, at):
    heads, kv_heads, tokens = 6, 2, 21
    qkv = random(0, tokens, (heads + 2 * kv_heads) * head_dim)
    qkv[3] = 0
    table = kernels.rope_table(
        np.arange(tokens, dtype=np.int32), random(1, head_dim // 2), 1.25, threads=1
    )
    slots = np.random.default_rng(2).permutation(48)[:tokens].astype(np.int32)
    slots[5] = -1
    nbytes = 3 * kernels.cache_block_bytes(kv_heads, head_dim, kv_format)
    pool, expected_pool = guarded(np.zeros(nbytes, np.uint8), at=at), np.zeros(nbytes, np.uint8)
    options = {"heads": heads, "kv_heads": kv_heads, "kv_format": kv_format}
    q = kernels.rope_store(
        guarded(qkv, at=at), guarded(table, at=at), pool, slots, isa=isa, **options
    )
    expected = reference.rope_store(qkv, table, expected_pool, slots, **options)
    np.testing.assert_array_equal(q, expected)
    np.testing.assert_array_equal(pool, expected_pool)


def test_what_is_stored_comes_back():
    qkv = random(0, 20, 3 * HEAD_DIM)
    still = np.tile(np.repeat(np.float32([1, 0]), HEAD_DIM // 2), (20, 1))
    for kv_format, error in (("bf16", 2.0**-8), ("int8", 1 / 254)):
        pool = np.zeros(2 * kernels.cache_block_bytes(1, HEAD_DIM, kv_format), np.uint8)
        slots = np.arange(20, dtype=np.int32)
        kernels.rope_store(qkv, still, pool, slots, heads=1, kv_heads=1, kv_format=kv_format)
        keys, values = cached(pool, [0, 1], 20, 1, HEAD_DIM, kv_format)
        largest = np.abs(qkv).max()
        assert np.abs(keys[:, 0] - qkv[:, HEAD_DIM : 2 * HEAD_DIM]).max() <= error * largest
        assert np.abs(values[:, 0] - qkv[:, 2 * HEAD_DIM :]).max() <= error * largest


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"slots": np.int32([0, 48])}, "slots 0 to 47"),
        ({"slots": np.int32([0])}, "slots"),
        ({"heads": 3}, "qkv"),
        ({"kv_format": "fp8"}, "fp8"),
        ({"pool": np.zeros(100, np.uint8)}, "100 bytes"),
    ],
)
def test_refuses_what_does_not_fit(change, complaint):
    nbytes = 3 * kernels.cache_block_bytes(2, 16)
    arguments = {
        "qkv": random(0, 2, 8 * 16), "table": random(0, 2, 16), "slots": np.int32([0, 1]),
        "pool": np.zeros(nbytes, np.uint8), "heads": 4, "kv_heads": 2,
    }  # fmt: skip
    with pytest.raises(ArgumentError, match=complaint):
        kernels.rope_store(**arguments | change)


def test_rows_beyond_those_in_use_are_left_alone():
    table = np.full((4, 8), 7, np.float32)
    inputs = [np.int32([2]), np.zeros(4, np.int32), np.ones(4, np.float32)]
    _native.call("rope_table", inputs, [table])
    assert np.all(table[2:] == 7) and not np.any(table[:2] == 7)
