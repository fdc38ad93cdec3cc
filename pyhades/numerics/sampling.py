"""Choice of a token from logits."""

from __future__ import annotations

import numpy as np

from pyhades.numerics.array import Array


def adjust_logits(
    row: Array,
    tokens: Array,
    times: Array,
    in_prompt: Array,
    biases: Array,
    repetition: float = 1.0,
    presence: float = 0.0,
    frequency: float = 0.0,
) -> Array:
    """The logits after bias and penalties: of tokens that were written ``times``, or read."""
    row = row.copy()
    values = row[tokens] + biases
    lowered = np.where(values > 0, values / repetition, values * repetition)
    values = np.where((times > 0) | (in_prompt > 0), lowered, values)
    row[tokens] = np.where(times > 0, values - (presence + frequency * times), values)
    return row


def admitted(words: Array, count: int) -> Array:
    """The first bits of words of 32, the lowest bit of a word first, as bool."""
    return np.unpackbits(words.view(np.uint8), count=count, bitorder="little").astype(bool)


def likeliest(row: Array, count: int) -> Array:
    """Indices of the largest logits, the largest first, of equals the lower index."""
    return np.argsort(-row, kind="stable")[:count]


def log_probabilities(row: Array) -> Array:
    """The logarithm of the softmax."""
    shifted = row - row.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))


def kept_by_top_p(weights: Array, share: float) -> Array:
    """The fewest largest weights that together have this share, as bool."""
    order = likeliest(weights, weights.size)
    sums = weights[order].cumsum()
    count = int(np.searchsorted(sums, share * weights.sum())) + 1
    kept = np.zeros(weights.size, bool)
    kept[order[:count]] = True
    return kept


def may_be_drawn(
    row: Array, temperature: float, top_k: int = 0, top_p: float = 1.0, min_p: float = 0.0
) -> Array:
    """Which tokens top-k, then top-p, then min-p leave, as bool."""
    kept = row > -np.inf
    if top_k > 0:
        kept[likeliest(row, row.size)[top_k:]] = False
    weights = np.where(kept, np.exp((row - row.max()) / temperature), 0)
    if top_p < 1:
        kept &= kept_by_top_p(weights, top_p)
    return kept & (weights >= min_p)


def sample(
    row: Array,
    temperature: float,
    uniform: float,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
) -> int:
    """Invert the distribution ``softmax(row / temperature)`` of what is left at ``uniform``.

    Temperature 0 takes the largest logit, the first of equals, as does a row without a finite peak.
    NaN is never chosen.
    """
    row = np.where(np.isnan(row), -np.inf, row)
    if temperature == 0 or not np.isfinite(row.max()):
        return int(row.argmax())
    kept = may_be_drawn(row, temperature, top_k, top_p, min_p)
    sums = np.where(kept, np.exp((row - row.max()) / temperature), 0).cumsum()
    return int(np.searchsorted(sums, uniform * sums[-1], side="right"))
