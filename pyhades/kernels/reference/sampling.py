"""Reference of sampling."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.kernels.sampling import NOT_FINITE, NOTHING_ALLOWED, SAMPLED, AdjustedTokens, SampledRows
from pyhades.numerics import sampling


def sample(logits: ArrayLike, temperature: ArrayLike = 1.0, uniform: ArrayLike = 0.0) -> Array:
    """See :func:`pyhades.kernels.sample`; in float64."""
    rows = np.asarray(logits, np.float64)
    temperatures = np.broadcast_to(temperature, len(rows))
    uniforms = np.broadcast_to(uniform, len(rows))
    chosen = map(sampling.sample, rows, temperatures, uniforms)
    return np.array(list(chosen), np.int32)


def sample_rows(
    logits: ArrayLike,
    temperature: ArrayLike = 1.0,
    uniform: ArrayLike = 0.0,
    rows: ArrayLike | None = None,
    top_k: ArrayLike = 0,
    top_p: ArrayLike = 1.0,
    min_p: ArrayLike = 0.0,
    repetition_penalty: ArrayLike = 1.0,
    presence_penalty: ArrayLike = 0.0,
    frequency_penalty: ArrayLike = 0.0,
    adjusted: AdjustedTokens | None = None,
    masks: ArrayLike | None = None,
    mask_rows: ArrayLike | None = None,
    logprobs: ArrayLike = -1,
) -> SampledRows:
    """See :func:`pyhades.kernels.sample_rows`; in float64."""
    logits = np.asarray(logits, np.float64)
    n = logits.shape[1]
    places = np.arange(len(logits)) if rows is None else np.asarray(rows)
    m = len(places)
    words = None if masks is None else np.asarray(masks)
    default_masks = np.arange(m) if words is not None and len(words) else -1
    of_mask = np.broadcast_to(default_masks if mask_rows is None else mask_rows, m)
    penalties = np.broadcast_arrays(
        repetition_penalty, presence_penalty, frequency_penalty, np.empty(m)
    )
    drawing = np.broadcast_arrays(temperature, uniform, top_k, top_p, min_p, np.empty(m))
    counts = np.broadcast_to(logprobs, m)
    likeliest = max(int(counts.max(initial=0)), 0)
    sampled = SampledRows(
        np.zeros(m, np.int32),
        np.zeros(m, np.int32),
        np.zeros(m),
        np.zeros((m, likeliest), np.int32),
        np.zeros((m, likeliest)),
    )
    for i, place in enumerate(places):
        row = logits[place]
        if words is not None and of_mask[i] >= 0:
            row = np.where(sampling.admitted(words[of_mask[i]], n), row, -np.inf)
        if adjusted is not None:
            entries = slice(adjusted.first[i], adjusted.first[i + 1])
            columns = adjusted.tokens[entries].T
            row = sampling.adjust_logits(
                row, *columns, adjusted.biases[entries], *(p[i] for p in penalties[:3])
            )
        sampled.tokens[i] = sampling.sample(row, *(d[i] for d in drawing[:5]))
        sampled.status[i] = _status(row)
        if counts[i] >= 0:
            logs = sampling.log_probabilities(logits[place])
            top = sampling.likeliest(logits[place], counts[i])
            sampled.status[i] = _status(logits[place]) or sampled.status[i]
            sampled.logprobs[i] = logs[sampled.tokens[i]]
            sampled.top_tokens[i, : counts[i]], sampled.top_logprobs[i, : counts[i]] = top, logs[top]
    return sampled


def _status(row: Array) -> int:
    if np.isnan(row).any() or row.max() == np.inf:
        return NOT_FINITE
    return NOTHING_ALLOWED if row.max() == -np.inf else SAMPLED
