"""What may come next: the seam between sampling and whatever restricts it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

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


FilterFactory = Callable[[], TokenFilter]
"""Makes a filter for each answer to a prompt."""
