"""Rotary position embedding (Su et al. 2021)."""

from __future__ import annotations

import numpy as np

from pyhades.numerics.array import Array


def table(positions: Array, inverse_frequencies: Array, attention_factor: float) -> Array:
    """Cosines, then sines, of ``positions * inverse_frequencies``, scaled: ``[tokens, d]``."""
    angles = np.multiply.outer(positions, inverse_frequencies)
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1) * attention_factor


def rotate(x: Array, table: Array) -> Array:
    """Turn the pairs ``(x[i], x[i + d / 2])`` of vectors ``[tokens, heads, d]`` by their angles."""
    half = table.shape[1] // 2
    cosine, sine = table[:, None, :half], table[:, None, half:]
    low, high = x[..., :half], x[..., half:]
    return np.concatenate([low * cosine - high * sine, high * cosine + low * sine], axis=-1)
