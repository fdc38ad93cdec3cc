"""What may come next: the seam between sampling and whatever restricts it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]


def words_of(vocab_size: int) -> int:
    """Words of a bit per token.

    Examples
    --------
    >>> words_of(201_088)
    6284
    """
    return -(-vocab_size // 32)


class TokenFilter(Protocol):
    """Allows tokens of one answer, one after the other.

    It is used by the engine's thread alone. An exception that it raises ends its request.

    A filter that can look ahead is a :class:`ForeseeingFilter`, too: then more tokens of its
    answers can be guessed.
    """

    @property
    def finished(self) -> bool:
        """Whether the answer is complete with the tokens accepted so far."""

    def fill(self, words: Words) -> bool:
        """Say what may come next.

        Parameters
        ----------
        words
            uint32 ``[ceil(vocab_size / 32)]``, whatever they hold: bit ``i % 32`` of word
            ``i // 32`` is to be 1 if token i is allowed, else 0.

        Returns
        -------
        bool
            False if everything is allowed, and ``words`` mean nothing.
        """

    def accept(self, token: int) -> None:
        """Take note of the token that was chosen."""


@runtime_checkable
class ForeseeingFilter(Protocol):
    """Knows something of the tokens after the next, and stays where it is when it is asked."""

    def forced(self, most: int) -> Sequence[int]:
        """Tokens that come next because nothing else may, at most so many."""

    def count_allowed(self, tokens: Sequence[int]) -> int:
        """How many of the first of some tokens may come next, as far as is known."""

    def add_after(self, tokens: Sequence[int], words: Words) -> bool:
        """Set the bits of what may come after the first, the first two ... of some tokens.

        Parameters
        ----------
        tokens
            That may come next.
        words
            As in :meth:`TokenFilter.fill`; bits that are set stay.

        Returns
        -------
        bool
            False if that is not known, and ``words`` mean nothing.
        """


FilterFactory = Callable[[], TokenFilter]
"""Makes a filter for each answer to a prompt."""
