"""Reference of sampling."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.kernels.sampling import (
    NOT_FINITE,
    NOTHING_ALLOWED,
    SAMPLED,
    AdjustedTokens,
    SampledRows,
)
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
    places = np.arange(len(logits)) if rows is None else np.asarray(rows)
    m = len(places)
    drawing = _by_row(m, temperature, uniform, top_k, top_p, min_p)
    penalties = _by_row(m, repetition_penalty, presence_penalty, frequency_penalty)
    counts = np.broadcast_to(logprobs, m)
    most = max(int(counts.max(initial=0)), 0)
    sampled = SampledRows(
        np.zeros(m, np.int32), np.zeros(m, np.int32), np.zeros(m),
        np.zeros((m, most), np.int32), np.zeros((m, most)),
    )  # fmt: skip
    limited = _limited(logits[places], masks, mask_rows)
    for i, count in enumerate(counts):
        row = limited[i]
        if adjusted is not None:
            entries = slice(adjusted.first[i], adjusted.first[i + 1])
            tokens, times, in_prompt = adjusted.tokens[entries].T
            biases = adjusted.biases[entries]
            row = sampling.adjust_logits(row, tokens, times, in_prompt, biases, *penalties[i])
        sampled.tokens[i] = sampling.sample(row, *drawing[i])
        sampled.status[i] = _status(row)
        if count >= 0:
            whole = logits[places[i]]
            logs, top = sampling.log_probabilities(whole), sampling.likeliest(whole, count)
            sampled.status[i] = _status(whole) or sampled.status[i]
            sampled.logprobs[i] = logs[sampled.tokens[i]]
            sampled.top_tokens[i, :count], sampled.top_logprobs[i, :count] = top, logs[top]
    return sampled


def _by_row(m: int, *settings: ArrayLike) -> list[tuple[Any, ...]]:
    """Settings of each row."""
    return list(zip(*(np.broadcast_to(setting, m).tolist() for setting in settings), strict=True))


def _limited(rows: Array, masks: ArrayLike | None, mask_rows: ArrayLike | None) -> Array:
    """Rows with -inf where their masks forbid."""
    if masks is None:
        return rows
    words = np.asarray(masks)
    m, n = rows.shape
    which = np.broadcast_to(np.arange(m) if mask_rows is None else mask_rows, m)
    allowed = np.ones((m, n), bool)
    for row, mask in enumerate(which):
        if mask >= 0:
            allowed[row] = sampling.admitted(words[mask], n)
    return np.where(allowed, rows, -np.inf)


def _status(row: Array) -> int:
    if np.isnan(row).any() or row.max() == np.inf:
        return NOT_FINITE
    return NOTHING_ALLOWED if row.max() == -np.inf else SAMPLED
