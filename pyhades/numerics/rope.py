"""Rotary position embedding (Su et al. 2021)."""

from __future__ import annotations

import numpy as np

from pyhades.numerics.array import Array


def table(positions: Array, inverse_frequencies: Array, attention_factor: float) -> Array:
    """Cosines, then sines, of ``positions * inverse_frequencies``, scaled: ``[tokens, d]``."""
    angles = np.multiply.outer(positions, inverse_frequencies)
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1) * attention_factor


def turn(x: Array, cosine: Array, sine: Array, interleaved: bool = False) -> Array:
    """Turn pairs of the last axis of x by angles whose cosines and sines broadcast to half of it.

    A pair is ``(x[i], x[i + d / 2])``, or ``(x[2 i], x[2 i + 1])`` if ``interleaved``.
    """
    half = x.shape[-1] // 2
    low, high = (x[..., ::2], x[..., 1::2]) if interleaved else (x[..., :half], x[..., half:])
    turned = low * cosine - high * sine, high * cosine + low * sine
    if interleaved:
        return np.stack(turned, axis=-1).reshape(x.shape)
    return np.concatenate(turned, axis=-1)


def rotate(x: Array, table: Array) -> Array:
    """:func:`turn` vectors ``[tokens, heads, d]`` by a :func:`table`."""
    half = table.shape[1] // 2
    return turn(x, table[:, None, :half], table[:, None, half:])
