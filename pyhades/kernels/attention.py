"""Scaled dot-product attention."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, as_array, call, check_shape, output


def attention(
    q: ArrayLike,
    k: ArrayLike,
    v: ArrayLike,
    scale: float | None = None,
    causal: bool = False,
    window: int | None = None,
    sinks: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    kv_lengths: ArrayLike | None = None,
    *,
    mask: ArrayLike | None = None,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Scaled dot-product attention, ``softmax(scale * q @ k.T + bias + mask) @ v``.

    Query ``i`` stands at position ``length - m + i``, where ``length`` is ``n`` or the entry of
    ``kv_lengths``: the last query belongs to the last key. A query that sees no key gives zeros.

    Parameters
    ----------
    q
        float32 ``[b, hq, m, d]``.
    k
        float32 ``[b, hkv, n, d]``; ``hq`` must be a multiple of ``hkv``, and query head ``h`` uses
        key head ``h // (hq // hkv)``.
    v
        float32 ``[b, hkv, n, dv]``.
    scale
        Factor of the scores; None is ``1 / sqrt(d)``.
    causal
        Whether a query sees no key behind its own position.
    window
        A query sees only keys less than ``window`` positions away; None: all.
    sinks
        float32 ``[hq]``: a score per head that takes part in the normalisation but has no value.
    bias, mask
        float32, broadcast to ``[b, hq, m, n]`` and added to the scaled scores; two arguments so
        that, say, a bias per head and a mask per image need not be added up in memory.
    kv_lengths
        int32 ``[b]``: how many of the ``n`` keys exist.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32 ``[b, hq, m, dv]``.

    Raises
    ------
    ArgumentError
        If shapes or options do not fit.
    ArgumentTypeError
        If an array has the wrong dtype.

    References
    ----------
    Vaswani et al., "Attention Is All You Need", 2017. Dao et al., "FlashAttention", 2022, for the
    order of computation. Xiao et al., "Efficient Streaming Language Models with Attention Sinks",
    2023.

    Examples
    --------
    >>> q = np.zeros((1, 1, 2, 4), np.float32)
    >>> v = np.array([[[[1.0], [3.0]]]], np.float32)
    >>> attention(q, q, v, causal=True).ravel()
    array([1., 2.], dtype=float32)
    """
    q, k, v = (_rows("q", q), _rows("k", k), _rows("v", v))
    batch, heads, m, d = q.shape
    key_heads, n = k.shape[1:3]
    check_shape("k", k, (batch, key_heads, n, d))
    check_shape("v", v, (batch, key_heads, n, v.shape[3]))
    if key_heads == 0 or heads % key_heads:
        raise ArgumentError(f"the {heads} heads of q are no multiple of the {key_heads} heads of k")
    if window is not None and window < 1:
        raise ArgumentError(f"window={window} must be at least 1, or None")
    if sinks is not None:
        sinks = np.ascontiguousarray(as_array("sinks", sinks, ndim=1))
        check_shape("sinks", sinks, (heads,))
    if kv_lengths is not None:
        kv_lengths = _lengths(kv_lengths, batch, n)
    scores = (batch, heads, m, n)
    result = output(out, (batch, heads, m, v.shape[3]))
    attributes: dict[str, int | float] = {"causal": int(causal), "window": window or 0}
    if scale is not None:
        attributes["scale"] = float(scale)
    addends = [_addend("bias", bias, scores), _addend("mask", mask, scores)]
    operands = [q, k, v, addends[0], sinks, kv_lengths, addends[1]]
    call("attention", operands, [result], attributes, threads=threads, isa=isa)
    return result


def _rows(name: str, value: ArrayLike) -> Array:
    """A [b, h, n, d] array whose last axis is contiguous; a copy only where it is not."""
    array = as_array(name, value, ndim=4)
    is_contiguous = array.shape[3] <= 1 or array.strides[3] == array.itemsize
    return array if is_contiguous else np.ascontiguousarray(array)


def _addend(name: str, value: ArrayLike | None, shape: tuple[int, ...]) -> Array | None:
    if value is None:
        return None
    array = as_array(name, value)
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ArgumentError(
            f"{name} has shape {array.shape}, which does not broadcast to {shape}"
        ) from None


def _lengths(value: ArrayLike, batch: int, n: int) -> Array:
    lengths = np.ascontiguousarray(as_array("kv_lengths", value, ndim=1, dtype=np.int32))
    check_shape("kv_lengths", lengths, (batch,))
    if lengths.size and (lengths.min() < 0 or lengths.max() > n):
        raise ArgumentError(f"kv_lengths={lengths.tolist()} must lie between 0 and n={n}")
    return lengths
