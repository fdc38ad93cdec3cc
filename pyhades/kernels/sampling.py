"""Tokens from logits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from pyhades import _native
from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, as_array, check_shape, output

SAMPLED, NOT_FINITE, NOTHING_ALLOWED = 0, 1, 2
"""What the status of a row says."""
NUMBERS = ("row", "top_k", "likeliest", "mask_row")
"""Columns of the integers of a row; -1 likeliest: no log-probability, -1 mask_row: no mask."""
SETTINGS = (
    "temperature",
    "top_p",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
)
"""Columns of the numbers of a row."""
ADJUSTED = ("token", "times", "in_prompt")
"""Columns of the tokens whose logits change."""


class AdjustedTokens(NamedTuple):
    """Tokens whose logits are changed, for one row after the other.

    Attributes
    ----------
    first
        int32 ``[m + 1]``: row i has the entries from ``first[i]`` to ``first[i + 1] - 1``.
    tokens
        int32 ``[a, 3]``: a token, each but once in a row; how many times the answer has it; and 1
        if the prompt has it, else 0.
    biases
        float32 ``[a]``, added to the logits before penalties; -inf forbids a token.
    """

    first: Array
    tokens: Array
    biases: Array


class SampledRows(NamedTuple):
    """Tokens, and what was asked of their log-probabilities.

    Attributes
    ----------
    tokens
        int32 ``[m]``.
    status
        int32 ``[m]``: 0; 1 where a logit was NaN or infinite; 2 where every token was forbidden.
    logprobs
        float32 ``[m]``: of the tokens.
    top_tokens, top_logprobs
        int32 and float32 ``[m, k]``: of the likeliest tokens. In a row that asked for fewer, what
        follows them means nothing.
    """

    tokens: Array
    status: Array
    logprobs: Array
    top_tokens: Array
    top_logprobs: Array


class RowOperands(NamedTuple):
    """What the native operator takes; see ``docs/reference/native_operators.md``."""

    logits: Array
    numbers: Array
    settings: Array
    uniforms: Array
    adjusted: AdjustedTokens | None = None
    masks: Array | None = None


def run_rows(
    operands: RowOperands, likeliest: int, *, threads: int | None = None, isa: str | None = None
) -> SampledRows:
    """Sample without looking at what the operands hold: for those who made them."""
    m = len(operands.numbers)
    sampled = SampledRows(
        np.empty(m, np.int32),
        np.empty(m, np.int32),
        np.empty(m, np.float32),
        np.empty((m, likeliest), np.int32),
        np.empty((m, likeliest), np.float32),
    )
    inputs = [*operands[:4], *(operands.adjusted or (None, None, None)), operands.masks]
    _native.call("sample", inputs, list(sampled), {}, threads=threads, isa=isa)
    return sampled


def sample(
    logits: ArrayLike,
    temperature: ArrayLike = 1.0,
    uniform: ArrayLike = 0.0,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """One index per row, each with the probability that the softmax gives it.

    Nothing is sorted: the index is where the cumulated weights exceed a share of their sum.

    Parameters
    ----------
    logits
        float32 ``[m, n]``; NaN counts as minus infinity.
    temperature
        What the logits are divided by, one number or float32 ``[m]``; 0 takes the largest, of
        equals the first.
    uniform
        Random numbers in ``[0, 1)``, one or float64 ``[m]``.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        int32 ``[m]``; a row does not depend on the others, nor on threads.

    Raises
    ------
    ArgumentError
        A number is out of range, or there is nothing to choose from.

    Examples
    --------
    >>> sample(np.float32([[0, 3, 1]]), uniform=0.5)
    array([1], dtype=int32)
    """
    tokens = output(out, (len(as_array("logits", logits, ndim=2)),), np.int32)
    sampled = sample_rows(logits, temperature, uniform, threads=threads, isa=isa)
    tokens[...] = sampled.tokens
    return tokens


def sample_rows(
    logits: ArrayLike,
    temperature: ArrayLike = 1.0,
    uniform: ArrayLike = 0.0,
    rows: ArrayLike | None = None,
    *,
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
    threads: int | None = None,
    isa: str | None = None,
) -> SampledRows:
    """Tokens of many answers, each by settings of its own, and their log-probabilities.

    For every answer, in this order: mask, bias and penalties, temperature, top-k, top-p, min-p,
    draw. Each narrows what the one before has left; of equal logits the lower index goes first.
    Log-probabilities are those of the logits before any of it. All settings are one number or
    ``[m]``.

    Parameters
    ----------
    logits
        float32 ``[r, n]``.
    temperature
        What logits are divided by; 0 takes the largest.
    uniform
        Random numbers in ``[0, 1)``, float64.
    rows
        int32 ``[m]``: which row of the logits each answer continues; by default all, in order.
    top_k
        Only so many of the largest; 0 for all.
    top_p
        Only the fewest largest that together have this probability.
    min_p
        Only what is at least this likely in comparison with the likeliest.
    repetition_penalty, presence_penalty, frequency_penalty
        Of the tokens in ``adjusted``: logits of all that have been read or written are divided by
        the first if positive, else multiplied; the others are subtracted from those of what was
        written, once, and once for each time.
    adjusted
        Tokens whose logits change.
    masks
        uint32 ``[any, ceil(n / 32)]``: bit ``i % 32`` of word ``i // 32`` allows token i.
    mask_rows
        int32 ``[m]``: which mask limits each answer, -1 for none; by default the masks in order.
    logprobs
        How many of the likeliest are wanted with their log-probability; 0 for that of the token
        alone, -1 for none.
    threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    SampledRows
        A row does not depend on the others, nor on threads.

    Raises
    ------
    ArgumentError
        A number is out of range, an array has the wrong shape, or there is nothing to choose from.
    ArgumentTypeError
        An array has the wrong dtype.

    Examples
    --------
    >>> sample_rows(np.float32([[0, 3, 1]]), 0, rows=[0, 0], logprobs=2).top_tokens
    array([[1, 2],
           [1, 2]], dtype=int32)
    """
    logits = as_array("logits", logits, ndim=2)
    count, n = logits.shape
    if n == 0:
        raise ArgumentError("logits has no columns; there is nothing to choose from")
    places = np.arange(count) if rows is None else np.asarray(rows)
    if places.ndim != 1:
        raise ArgumentError(f"rows has {places.ndim} axes, expected 1")
    m = len(places)
    if masks is not None:
        masks = as_array("masks", masks, ndim=2, dtype=np.uint32)
        check_shape("masks", masks, (len(masks), -(-n // 32)))
    mask_count = 0 if masks is None else len(masks)
    default_masks = np.arange(m) if mask_count else -1
    numbers = _columns(
        m,
        np.int32,
        ("rows", places, 0, count - 1),
        ("top_k", top_k, 0, None),
        ("logprobs", logprobs, -1, n),
        ("mask_rows", default_masks if mask_rows is None else mask_rows, -1, mask_count - 1),
    )
    settings = _columns(
        m,
        np.float64,
        ("temperature", temperature, 0, None),
        ("top_p", top_p, 0, 1),
        ("min_p", min_p, 0, 1),
        ("repetition_penalty", repetition_penalty, 0, None),
        ("presence_penalty", presence_penalty, None, None),
        ("frequency_penalty", frequency_penalty, None, None),
    )
    uniforms = np.ascontiguousarray(np.broadcast_to(uniform, m), np.float64)
    if not np.all((uniforms >= 0) & (uniforms < 1)):
        raise ArgumentError(f"uniform={uniform!r} must lie in [0, 1)")
    for name, column in (("top_p", 1), ("repetition_penalty", 3)):
        if not np.all(settings[:, column] > 0):
            raise ArgumentError(f"{name} must be above 0")
    if adjusted is not None:
        adjusted = _checked(adjusted, m, n)
    operands = RowOperands(logits, numbers, settings, uniforms, adjusted, masks)
    likeliest = int(numbers[:, NUMBERS.index("likeliest")].max(initial=0))
    return run_rows(operands, max(likeliest, 0), threads=threads, isa=isa)


Column = tuple[str, ArrayLike, float | None, float | None]


def _columns(m: int, dtype: DTypeLike, *columns: Column) -> Array:
    """Settings side by side, each one number or ``[m]``, and within its limits."""
    table = np.empty((m, len(columns)), dtype)
    for index, (name, value, least, most) in enumerate(columns):
        values = np.asarray(value)
        if values.shape not in ((), (m,)):
            raise ArgumentError(f"{name} has shape {values.shape}, expected () or ({m},)")
        if not (
            np.all(np.isfinite(values))
            and (least is None or np.all(values >= least))
            and (most is None or np.all(values <= most))
        ):
            bounds = f"at least {least}" if most is None else f"{least} to {most}"
            raise ArgumentError(f"{name}={value!r} must be finite, {bounds}")
        table[:, index] = values
    return table


def _checked(adjusted: AdjustedTokens, m: int, n: int) -> AdjustedTokens:
    first = as_array("adjusted.first", adjusted.first, ndim=1, dtype=np.int32)
    tokens = as_array("adjusted.tokens", adjusted.tokens, ndim=2, dtype=np.int32)
    biases = as_array("adjusted.biases", adjusted.biases, ndim=1)
    check_shape("adjusted.first", first, (m + 1,))
    check_shape("adjusted.tokens", tokens, (len(biases), len(ADJUSTED)))
    if first[0] < 0 or first[-1] > len(biases) or np.any(np.diff(first) < 0):
        raise ArgumentError(f"adjusted.first must ascend from 0 to at most {len(biases)}")
    if tokens.size and not (tokens.min() >= 0 and tokens[:, 0].max() < n):
        raise ArgumentError(f"adjusted.tokens: ids lie in 0 to {n - 1}, counts are not negative")
    if not np.all(biases < np.inf):
        raise ArgumentError("adjusted.biases must be finite or -inf")
    return AdjustedTokens(*map(np.ascontiguousarray, (first, tokens, biases)))
