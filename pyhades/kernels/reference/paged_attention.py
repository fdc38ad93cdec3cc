"""Rotary embedding and attention over a paged cache, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.numerics import rope
from pyhades.numerics.attention import attention

BLOCK_TOKENS = 16


def rope_table(
    positions: ArrayLike, inverse_frequencies: ArrayLike, attention_factor: float = 1.0
) -> Array:
    """See :func:`pyhades.kernels.rope_table`."""
    places = np.asarray(positions, np.float64)
    frequencies = np.asarray(inverse_frequencies, np.float64)
    factor = float(np.float32(attention_factor))
    return rope.table(places, frequencies, factor).astype(np.float32)


def rope_store(
    qkv: ArrayLike,
    table: ArrayLike,
    pool: Array,
    slots: ArrayLike,
    *,
    heads: int,
    kv_heads: int,
    kv_format: str = "bf16",
) -> Array:
    """See :func:`pyhades.kernels.rope_store`."""
    angles = np.asarray(table, np.float32)
    tokens, d = angles.shape
    rows = np.asarray(qkv, np.float32).reshape(tokens, heads + 2 * kv_heads, d)
    q, keys, values = np.split(rows, [heads, heads + kv_heads], axis=1)
    rotated = rope.rotate(keys, angles)
    blocks = pool.reshape(
        -1, kv_heads, 2, pool.size // _blocks(pool, kv_heads, d, kv_format) // kv_heads // 2
    )
    for token, slot in enumerate(np.asarray(slots)):
        if slot < 0:
            continue
        block, place = divmod(int(slot), BLOCK_TOKENS)
        for head in range(kv_heads):
            for part, vector in enumerate((rotated[token, head], values[token, head])):
                stored, scales = _stored(blocks[block, head, part], d, kv_format)
                grid = stored.reshape(d, BLOCK_TOKENS).T if part == 0 else stored.reshape(-1, d)
                grid[place], scale = _narrowed(vector, kv_format)
                if scales is not None:
                    scales[place] = scale
    return rope.rotate(q, angles).reshape(tokens, heads * d)


def paged_attention(
    q: ArrayLike,
    pool: Array,
    block_table: ArrayLike,
    first_token: ArrayLike,
    lengths: ArrayLike,
    *,
    kv_heads: int,
    head_dim: int,
    scale: float | None = None,
    window: int | None = None,
    sinks: ArrayLike | None = None,
    kv_format: str = "bf16",
) -> Array:
    """See :func:`pyhades.kernels.paged_attention`."""
    rows = np.asarray(q, np.float64)
    heads = rows.shape[1] // head_dim
    by_head = rows.reshape(len(rows), heads, head_dim)
    result = np.zeros_like(by_head)
    factor = head_dim**-0.5 if scale is None else scale
    begins = np.asarray(first_token)
    for sequence, (table, length) in enumerate(
        zip(np.asarray(block_table), np.asarray(lengths), strict=True)
    ):
        keys, values = cached(pool, table, int(length), kv_heads, head_dim, kv_format)
        for token in range(begins[sequence], begins[sequence + 1]):
            last = int(length) - begins[sequence + 1] + token
            first = 0 if window is None else max(last + 1 - window, 0)
            for head in range(heads):
                group = head * kv_heads // heads
                seen = slice(first, last + 1)
                query = by_head[token, head][None, None]
                sink = None if sinks is None else np.asarray(sinks)[head : head + 1]
                result[token, head] = attention(
                    query, keys[None, seen, group], values[None, seen, group], factor, sinks=sink
                )[0, 0]
    return result.reshape(rows.shape).astype(np.float32)


def cached(
    pool: Array, table: ArrayLike, length: int, kv_heads: int, head_dim: int, kv_format: str
) -> tuple[Array, Array]:
    """Keys and values, float64 ``[length, kv_heads, head_dim]``; zeros where freed."""
    blocks = pool.reshape(_blocks(pool, kv_heads, head_dim, kv_format), kv_heads, 2, -1)
    both = np.zeros((2, length, kv_heads, head_dim))
    for token in range(length):
        block = int(np.asarray(table)[token // BLOCK_TOKENS])
        if block < 0:
            continue
        place = token % BLOCK_TOKENS
        for head in range(kv_heads):
            for part in range(2):
                stored, scales = _stored(blocks[block, head, part], head_dim, kv_format)
                grid = stored.reshape(head_dim, -1).T if part == 0 else stored.reshape(-1, head_dim)
                vector = grid[place]
                if scales is None:
                    both[part, token, head] = (vector.astype(np.uint32) << 16).view(np.float32)
                else:
                    both[part, token, head] = vector.astype(np.float64) * scales[place]
    return both[0], both[1]


def _blocks(pool: Array, kv_heads: int, head_dim: int, kv_format: str) -> int:
    values = BLOCK_TOKENS * head_dim
    part = 2 * values if kv_format == "bf16" else values + 4 * BLOCK_TOKENS
    return pool.size // (2 * kv_heads * part)


def _stored(part: Array, head_dim: int, kv_format: str) -> tuple[Array, Array | None]:
    """The values of keys or of values of one head, and their scales."""
    if kv_format == "bf16":
        return part.view(np.uint16), None
    values = BLOCK_TOKENS * head_dim
    return part[:values].view(np.int8), part[values:].view(np.float32)


def _narrowed(vector: Array, kv_format: str) -> tuple[Any, np.float32]:
    if kv_format == "bf16":
        bits = vector.view(np.uint32)
        return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16), np.float32(1)
    scale = np.float32(np.abs(vector).max() / np.float32(127))
    inverse = np.float32(1) / scale if scale > 0 else np.float32(0)
    return np.rint(vector * inverse).astype(np.int8), scale
