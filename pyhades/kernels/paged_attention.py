"""Attention over a paged cache of keys and values, and the rotary embedding on the way into it."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, as_array, call, check_shape, output, rows_in_use

KvFormat = Literal["bf16", "int8"]
"""Of the keys and values in a cache."""
KV_FORMATS: tuple[KvFormat, ...] = get_args(KvFormat)

BLOCK_TOKENS = 16
"""Tokens per block of a cache."""


def cache_block_bytes(kv_heads: int, head_dim: int, kv_format: KvFormat = "bf16") -> int:
    """Bytes of a block of a cache: keys and values of 16 tokens.

    Per key head, the keys ``[head_dim, 16]`` and then the values ``[16, head_dim]``; bfloat16, or
    int8 followed by a float32 scale per token.

    Parameters
    ----------
    kv_heads, head_dim
        How many key heads there are, and the length of a key.
    kv_format
        ``"bf16"`` or ``"int8"``.

    Returns
    -------
    int
        Bytes; a cache is an array of uint8 of a multiple of them.

    Raises
    ------
    ArgumentError
        ``kv_format`` is neither.

    Examples
    --------
    >>> cache_block_bytes(8, 64)
    32768
    """
    one_of("kv_format", kv_format, KvFormat)
    values = BLOCK_TOKENS * head_dim
    parts = {"bf16": 2 * values, "int8": values + 4 * BLOCK_TOKENS}
    return 2 * kv_heads * parts[kv_format]


def rope_table(
    positions: ArrayLike,
    inverse_frequencies: ArrayLike,
    attention_factor: float = 1.0,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Cosines and sines of rotary angles.

    Parameters
    ----------
    positions
        int32 ``[t]``.
    inverse_frequencies
        float32 ``[d/2]``, radians per position.
    attention_factor
        Multiplies both; YaRN's is not 1.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32 ``[t, d]``: cosines, then sines.

    Raises
    ------
    ArgumentError
        An argument has more than one axis.
    ArgumentTypeError
        An argument has another dtype.

    References
    ----------
    Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021.

    Examples
    --------
    >>> rope_table([0], [1.0])
    array([[1., 0.]], dtype=float32)
    """
    places = np.ascontiguousarray(as_array("positions", positions, ndim=1, dtype=np.int32))
    frequencies = np.ascontiguousarray(as_array("inverse_frequencies", inverse_frequencies, ndim=1))
    result = output(out, (places.size, 2 * frequencies.size))
    call(
        "rope_table",
        [rows_in_use(places), places, frequencies],
        [result],
        {"attention_factor": float(attention_factor)},
        threads=threads,
        isa=isa,
    )
    return result


def rope_store(
    qkv: ArrayLike,
    table: ArrayLike,
    pool: Array,
    slots: ArrayLike,
    *,
    heads: int,
    kv_heads: int,
    kv_format: KvFormat = "bf16",
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Rotate queries and keys; put keys and values into a cache.

    Parameters
    ----------
    qkv
        float32 ``[t, (heads + 2 kv_heads) d]``: queries, keys, values.
    table
        float32 ``[t, d]``, from :func:`rope_table`. Pairs are dimensions i and i + d/2.
    pool
        uint8, one axis: blocks of :func:`cache_block_bytes`; written to.
    slots
        int32 ``[t]``: block * 16 + place in the block, or -1 for a token that is not stored.
    heads, kv_heads
        Numbers of query heads and of key heads.
    kv_format
        ``"bf16"`` or ``"int8"``.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        The rotated queries, float32 ``[t, heads d]``.

    Raises
    ------
    ArgumentError
        Shapes do not fit, or a slot lies outside the pool.

    Examples
    --------
    A token at position 0 keeps its query; its key, ones in bfloat16, goes to the first column of
    block 1.

    >>> pool = np.zeros(2 * cache_block_bytes(1, 16), np.uint8)
    >>> table = rope_table([0], np.ones(8, np.float32))
    >>> qkv = np.ones((1, 3 * 16), np.float32)
    >>> q = rope_store(qkv, table, pool, [16], heads=1, kv_heads=1)
    >>> q[0, :4]
    array([1., 1., 1., 1.], dtype=float32)
    >>> pool[cache_block_bytes(1, 16) :].view(np.uint16).reshape(2, 16, 16)[0, :3, :2]
    array([[16256,     0],
           [16256,     0],
           [16256,     0]], dtype=uint16)
    """
    rows = np.ascontiguousarray(as_array("qkv", qkv, ndim=2))
    angles = np.ascontiguousarray(as_array("table", table, ndim=2))
    places = np.ascontiguousarray(as_array("slots", slots, ndim=1, dtype=np.int32))
    check_shape("slots", places, rows.shape[:1])
    head_dim = angles.shape[1]
    check_shape("qkv", rows, (len(angles), (heads + 2 * kv_heads) * head_dim))
    _check_pool(pool, kv_heads, head_dim, kv_format, places, must_write=True)
    result = output(out, (len(rows), heads * head_dim))
    attributes = {
        "heads": heads, "kv_heads": kv_heads, "head_dim": head_dim, "kv_format": kv_format,
    }  # fmt: skip
    inputs = [rows_in_use(rows), rows, angles, places]
    call("rope_store", inputs, [result, pool], attributes, threads=threads, isa=isa)
    return result


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
    kv_format: KvFormat = "bf16",
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Causal attention of new tokens over cached ones, several sequences at once.

    Parameters
    ----------
    q
        float32 ``[t, heads head_dim]``; the tokens of each sequence follow each other.
    pool
        uint8, one axis, filled by :func:`rope_store`, these tokens included.
    block_table
        int32 ``[s, blocks]``: entry i of a row is the block of tokens 16 i to 16 i + 15.
    first_token
        int32 ``[s + 1]``: where the tokens of each sequence begin in ``q``, then ``t``.
    lengths
        int32 ``[s]``: tokens of each sequence in the cache.
    kv_heads, head_dim
        Of the cache; ``head_dim`` is a multiple of 16.
    scale
        Of the scores; by default ``head_dim**-0.5``.
    window
        How many tokens a query sees, itself included; None for all.
    sinks
        float32 ``[heads]``: a logit per head that takes weight but has no value; not scaled.
    kv_format
        ``"bf16"`` or ``"int8"``.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape of ``q``.

    Raises
    ------
    ArgumentError
        Shapes do not fit, or the block table leads outside the pool.

    References
    ----------
    Kwon et al., "Efficient Memory Management for Large Language Model Serving with
    PagedAttention", 2023.

    Examples
    --------
    The first token of a sequence sees itself only, so that its value comes back.

    >>> pool = np.zeros(cache_block_bytes(1, 16), np.uint8)
    >>> table = rope_table([0], np.ones(8, np.float32))
    >>> qkv = np.full((1, 3 * 16), 2, np.float32)
    >>> q = rope_store(qkv, table, pool, [0], heads=1, kv_heads=1)
    >>> o = paged_attention(q, pool, [[0]], [0, 1], [1], kv_heads=1, head_dim=16)
    >>> o[0, :4]
    array([2., 2., 2., 2.], dtype=float32)
    """
    rows = np.ascontiguousarray(as_array("q", q, ndim=2))
    table = np.ascontiguousarray(as_array("block_table", block_table, ndim=2, dtype=np.int32))
    begins = np.ascontiguousarray(as_array("first_token", first_token, ndim=1, dtype=np.int32))
    totals = np.ascontiguousarray(as_array("lengths", lengths, ndim=1, dtype=np.int32))
    check_shape("first_token", begins, (len(table) + 1,))
    check_shape("lengths", totals, (len(table),))
    _check_sequences(len(rows), table, begins, totals, window)
    used = np.concatenate(
        [_visible(*each, window) for each in zip(table, totals, np.diff(begins), strict=True)]
    )
    _check_pool(pool, kv_heads, head_dim, kv_format, used * BLOCK_TOKENS)
    logits = None if sinks is None else np.ascontiguousarray(as_array("sinks", sinks, ndim=1))
    result = output(out, rows.shape)
    attributes = {
        "kv_heads": kv_heads, "head_dim": head_dim, "kv_format": kv_format,
        "scale": head_dim**-0.5 if scale is None else float(scale), "window": window or 0,
    }  # fmt: skip
    counts = np.array([len(rows), len(table), 0, 0], np.int32)
    inputs = [counts, rows, pool, table, begins, totals, logits]
    call("paged_attention", inputs, [result], attributes, threads=threads, isa=isa)
    return result


def _visible(blocks: Array, length: int, tokens: int, window: int | None) -> Array:
    """The entries of a row of the block table that some new token looks at."""
    first = 0 if window is None else max(length - tokens + 1 - window, 0) // BLOCK_TOKENS
    return blocks[first : -(-length // BLOCK_TOKENS)] if tokens else blocks[:0]


def _check_sequences(
    tokens: int, table: Array, begins: Array, lengths: Array, window: int | None
) -> None:
    if window is not None and window < 1:
        raise ArgumentError(f"window={window} must be at least 1, or None for all")
    new = np.diff(begins)
    if begins[0] != 0 or begins[-1] != tokens or new.min(initial=0) < 0:
        raise ArgumentError(f"first_token must rise from 0 to {tokens}, it is {begins.tolist()}")
    most = table.shape[1] * BLOCK_TOKENS
    if np.any(lengths < new) or np.any(lengths > most):
        raise ArgumentError(
            f"lengths {lengths.tolist()} must include the new tokens {new.tolist()} and fit a row "
            f"of the block table, {most} tokens"
        )


def _check_pool(
    pool: Array,
    kv_heads: int,
    head_dim: int,
    kv_format: KvFormat,
    slots: Array,
    must_write: bool = False,
) -> None:
    block_bytes = cache_block_bytes(kv_heads, head_dim, kv_format)
    if pool.dtype != np.uint8 or pool.ndim != 1 or not pool.flags.c_contiguous:
        raise ArgumentError("pool must be a contiguous uint8 array of one axis")
    if must_write and not pool.flags.writeable:
        raise ArgumentError("pool is read-only; keys and values are written to it")
    if pool.size % block_bytes:
        raise ArgumentError(f"pool has {pool.size} bytes, not a multiple of {block_bytes}")
    most = pool.size // block_bytes * BLOCK_TOKENS
    lowest = -1 if must_write else 0
    if slots.size and not (slots.min() >= lowest and slots.max() < most):
        raise ArgumentError(
            f"the pool has slots 0 to {most - 1}; {slots.min()} to {slots.max()} asked"
        )
