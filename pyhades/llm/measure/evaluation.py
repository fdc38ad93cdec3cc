"""How far the predictions of a model are from those of another."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pyhades.errors import ArgumentError
from pyhades.llm.models.config import ModelConfig
from pyhades.tables import as_html, as_table

Logits = NDArray[np.float32]
Floats = NDArray[np.float64]
Report = Callable[[int], object]

_ROWS = 8
"""Rows of logits in float64 at a time."""


class Predictor(Protocol):
    """An :class:`pyhades.LLM`, or a :class:`Recording` of one."""

    name: str
    precision: str
    config: ModelConfig
    bytes_per_token: int

    def logit_rows(self, tokens: Sequence[int]) -> Generator[Logits, None, None]:
        """Logits after every token, some rows at a time."""


@dataclass(frozen=True)
class Comparison:
    """What two models predict for the same texts.

    Attributes
    ----------
    reference
        Precision of the reference.
    other
        Precision of the other model.
    tokens
        How many predictions were compared.
    kl_mean
        Kullback-Leibler divergence of the other's distribution from the reference's, in nats per
        token.
    kl_median
        Its median over the tokens.
    kl_p99
        What 99 % of the tokens stay below.
    top1_agreement
        Share of the tokens after which both find the same token the likeliest.
    reference_perplexity
        Of the texts.
    other_perplexity
        Of the texts.
    reference_bytes_per_token
        What a decoded token reads, with an empty context.
    other_bytes_per_token
        What a decoded token reads, with an empty context.
    """

    reference: str
    other: str
    tokens: int
    kl_mean: float
    kl_median: float
    kl_p99: float
    top1_agreement: float
    reference_perplexity: float
    other_perplexity: float
    reference_bytes_per_token: int
    other_bytes_per_token: int

    @property
    def perplexity_change(self) -> float:
        """How much more the other's perplexity is, 0.01 for one per cent."""
        return self.other_perplexity / self.reference_perplexity - 1

    def __str__(self) -> str:
        return comparison_table([self])

    def _repr_html_(self) -> str:
        return as_html(_table_rows([self]))


def compare(
    reference: Predictor,
    other: Predictor,
    texts: Sequence[Sequence[int]],
    *,
    report: Report = lambda tokens: None,
) -> Comparison:
    """Compare what two models predict after every token of some texts.

    Logits are taken a few rows at a time and only numbers per token are kept, so the length of
    the texts does not matter.

    Parameters
    ----------
    reference, other
        Two open models, or recordings of them, see :func:`recorded`.
    texts
        Token ids; each text begins with an empty context and fits the contexts of both.
    report
        Called with the number of tokens that have been compared since the last call.

    Returns
    -------
    Comparison
        Prints as a table.

    Raises
    ------
    ArgumentError
        The vocabularies differ, both are the same object, or no text has two tokens.

    Examples
    --------
    >>> from pyhades.llm import LLM
    >>> from pyhades.llm.measure.synthetic import random_weights
    >>> from pyhades.llm.models.gpt_oss.sizes import tiny_config
    >>> config = tiny_config()
    >>> models = [LLM.from_weights(config, random_weights(config, "fast", seed)) for seed in (0, 1)]
    >>> compare(*models, [[1, 2, 3], [4, 5]]).tokens
    5
    """
    if reference is other:
        raise ArgumentError("reference and other are the same model; record one of them")
    if reference.config.vocab_size != other.config.vocab_size:
        raise ArgumentError(
            f"{reference.name} has {reference.config.vocab_size} tokens, {other.name} "
            f"{other.config.vocab_size}; compare models of one vocabulary"
        )
    _check(texts)
    tallies = [_tally(reference, other, text, report) for text in texts]
    divergences, agreements = (np.concatenate([t[i] for t in tallies]) for i in (0, 1))
    losses = np.concatenate([t[2] for t in tallies], axis=1)
    reference_perplexity, other_perplexity = np.exp(losses.mean(axis=1))
    return Comparison(
        reference=reference.precision,
        other=other.precision,
        tokens=divergences.size,
        kl_mean=float(divergences.mean()),
        kl_median=float(np.median(divergences)),
        kl_p99=float(np.percentile(divergences, 99)),
        top1_agreement=float(agreements.mean()),
        reference_perplexity=float(reference_perplexity),
        other_perplexity=float(other_perplexity),
        reference_bytes_per_token=reference.bytes_per_token,
        other_bytes_per_token=other.bytes_per_token,
    )


class Recording:
    """The logits of a model for some texts, in a file: the model itself can be closed.

    Made by :func:`recorded`.
    """

    def __init__(self, model: Predictor, folder: Path, texts: Sequence[Sequence[int]]) -> None:
        self.name = model.name
        self.precision = model.precision
        self.config = model.config
        self.bytes_per_token = model.bytes_per_token
        self._files = {tuple(text): folder / str(index) for index, text in enumerate(texts)}

    def logit_rows(self, tokens: Sequence[int]) -> Generator[Logits, None, None]:
        """As ``LLM.logit_rows``, for the texts that were recorded."""
        file = self._files.get(tuple(tokens))
        if file is None:
            raise ArgumentError(f"a text of {len(tokens)} tokens was not recorded")
        shape = (len(tokens), self.config.vocab_size)
        rows = np.memmap(file, np.float32, "r", shape=shape)
        for first in range(0, len(rows), _ROWS):
            yield rows[first : first + _ROWS]


@contextmanager
def recorded(
    model: Predictor,
    texts: Sequence[Sequence[int]],
    *,
    report: Report = lambda tokens: None,
) -> Iterator[Recording]:
    """Write the logits of a model to a temporary folder, so that others need not run beside it.

    Parameters
    ----------
    model
        The model.
    texts
        Token ids.
    report
        As for :func:`compare`.

    Yields
    ------
    Recording
        Takes 4 bytes per token of the texts and of the vocabulary, until the block ends.
    """
    with tempfile.TemporaryDirectory(prefix="pyhades-") as name:
        recording = Recording(model, Path(name), texts)
        for index, text in enumerate(texts):
            with (Path(name) / str(index)).open("wb") as file:
                for rows in model.logit_rows(text):
                    file.write(np.ascontiguousarray(rows).data)
                    report(len(rows))
        yield recording


def comparison_table(comparisons: Sequence[Comparison]) -> str:
    """Comparisons with one reference as a table for a terminal."""
    return as_table(_table_rows(comparisons), right=range(1, 9))


def _check(texts: Sequence[Sequence[int]]) -> None:
    if not any(len(text) > 1 for text in texts):
        raise ArgumentError("a comparison needs a text of two tokens at least")


def _tally(
    reference: Predictor, other: Predictor, text: Sequence[int], report: Report
) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """Divergences and agreements ``[tokens]``, losses of both ``[2, tokens - 1]``."""
    divergences = np.empty(len(text))
    agreements = np.empty(len(text), np.bool_)
    losses = np.empty((2, max(len(text) - 1, 0)))
    targets = np.asarray(text[1:], np.int64)
    with closing(_by_rows(reference, text)) as ours, closing(_by_rows(other, text)) as theirs:
        for index, pair in enumerate(zip(ours, theirs, strict=True)):
            p, q = (_log_softmax(logits) for logits in pair)
            first = index * _ROWS
            last = first + len(p)
            divergences[first:last] = (np.exp(p) * (p - q)).sum(axis=1)
            agreements[first:last] = p.argmax(axis=1) == q.argmax(axis=1)
            wanted = targets[first:last]
            for losses_of_one, shares in zip(losses, (p, q), strict=True):
                losses_of_one[first:last] = -shares[np.arange(wanted.size), wanted]
            report(len(p))
    return divergences, agreements, losses


def _by_rows(model: Predictor, text: Sequence[int]) -> Generator[Logits, None, None]:
    """Few rows at a time, so many for every model."""
    kept: list[Logits] = []
    with closing(model.logit_rows(text)) as pieces:
        for piece in pieces:
            rows = np.concatenate([*kept, piece])
            whole = len(rows) // _ROWS * _ROWS
            for first in range(0, whole, _ROWS):
                yield rows[first : first + _ROWS]
            kept = [rows[whole:]] if whole < len(rows) else []
    yield from kept


def _log_softmax(logits: Logits) -> Floats:
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    wide -= np.log(np.exp(wide).sum(axis=1, keepdims=True))
    return wide


def _table_rows(comparisons: Sequence[Comparison]) -> list[list[str]]:
    first = comparisons[0]
    rows = [
        ["precision", "KL mean", "median", "99 %", "top-1", "perplexity", "change", "MB/token"],
        [first.reference, "", "", "", "", f"{first.reference_perplexity:.3f}", "",
         f"{first.reference_bytes_per_token / 1e6:.3f}"],
    ]  # fmt: skip
    rows += [
        [c.other, f"{c.kl_mean:.5f}", f"{c.kl_median:.5f}", f"{c.kl_p99:.5f}",
         f"{c.top1_agreement:.2%}", f"{c.other_perplexity:.3f}", f"{c.perplexity_change:+.2%}",
         f"{c.other_bytes_per_token / 1e6:.3f}"]
        for c in comparisons
    ]  # fmt: skip
    return rows
