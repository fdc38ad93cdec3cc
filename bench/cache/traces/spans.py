"""Texts of traces, in few words: runs of tokens that a number stands for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

WORDS = 200_000
"""Token ids that texts are made of."""
_ODD, _FIRST, _SECOND = (
    np.uint64(odd) for odd in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)

Text = tuple["Span", ...]
Known = Mapping[int, Sequence[int]]
"""Tokens of spans by their name, where they are not those that the name stands for."""


@dataclass(frozen=True, slots=True)
class Span:
    """A run of tokens: the first ``length`` of an endless text of that name.

    Spans of one name begin with the same tokens; those of different names have nothing in common
    but chance.

    Examples
    --------
    >>> Span(7, 3).tokens().tolist() == Span(7, 5).tokens()[:3].tolist()
    True
    """

    name: int
    length: int

    def tokens(self, words: int = WORDS) -> NDArray[np.int32]:
        """The tokens, int32 ``[length]``, all below ``words``; not to be written to."""
        return _tokens(self.name, self.length, words)


@lru_cache(maxsize=1 << 15)
def _tokens(name: int, length: int, words: int) -> NDArray[np.int32]:
    with np.errstate(over="ignore"):
        mixed = np.arange(1, length + 1, dtype=np.uint64) * _ODD
        mixed += np.uint64(name) * _SECOND
        for shift, factor in ((30, _FIRST), (27, _SECOND)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * factor
    return ((mixed >> np.uint64(33)) % np.uint64(words)).astype(np.int32)


def length_of(text: Iterable[Span]) -> int:
    """Tokens of a text."""
    return sum(span.length for span in text)


def tokens_of(
    text: Iterable[Span], known: Known | None = None, words: int = WORDS
) -> NDArray[np.int32]:
    """The tokens of a text, int32; those of spans that are known from there."""
    known = {} if known is None else known
    parts = [
        np.asarray(known[span.name], np.int32) if span.name in known else span.tokens(words)
        for span in text
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.int32)


class Names:
    """Numbers that nothing else is named by, within one trace."""

    def __init__(self, first: int) -> None:
        self._numbers: Iterator[int] = iter(range(first << 32, (first + 1) << 32))

    def span(self, length: float) -> Span:
        """A new text of about that many tokens, at least one."""
        return Span(next(self._numbers), max(round(length), 1))
