"""The tokens of an answer whose logits bias and penalties change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from pyhades.kernels.sampling import ADJUSTED

TOKEN, TIMES, IN_PROMPT = range(len(ADJUSTED))


class TokenTable:
    """What sampling has to know of tokens, as arrays that grow.

    Parameters
    ----------
    biases
        By token.
    prompt
        Tokens that have been read; none where penalties do not ask for them.

    Attributes
    ----------
    size
        How many tokens there are.
    largest
        The largest of them, -1 of none.

    Examples
    --------
    >>> table = TokenTable({5: 1.5}, [7, 7])
    >>> table.count(7)
    >>> table.tokens.tolist(), table.biases.tolist()
    ([[5, 0, 0], [7, 1, 1]], [1.5, 0.0])
    """

    def __init__(self, biases: Mapping[int, float], prompt: Iterable[int]) -> None:
        read = set(prompt)
        ids = sorted(read.union(biases))
        self.size = len(ids)
        self.largest = max(ids, default=-1)
        self._places = {token: place for place, token in enumerate(ids)}
        self._tokens = np.zeros((self.size + 16, len(ADJUSTED)), np.int32)
        self._tokens[: self.size, TOKEN] = ids
        self._tokens[: self.size, IN_PROMPT] = [token in read for token in ids]
        self._biases = np.zeros(self.size + 16, np.float32)
        self._biases[: self.size] = [biases.get(token, 0.0) for token in ids]

    @property
    def tokens(self) -> np.typing.NDArray[np.int32]:
        """A token, how often it was written, and whether it was read, each: int32 ``[size, 3]``."""
        return self._tokens[: self.size]

    @property
    def biases(self) -> np.typing.NDArray[np.float32]:
        """What is added to their logits: float32 ``[size]``."""
        return self._biases[: self.size]

    def count(self, token: int) -> None:
        """Take note of a token that was written."""
        place = self._places.get(token)
        if place is None:
            place = self._added(token)
        self._tokens[place, TIMES] += 1

    def _added(self, token: int) -> int:
        place = self._places[token] = self.size
        if place == len(self._tokens):
            self._tokens = np.concatenate([self._tokens, np.zeros_like(self._tokens)])
            self._biases = np.concatenate([self._biases, np.zeros_like(self._biases)])
        self._tokens[place, TOKEN] = token
        self.size += 1
        self.largest = max(self.largest, token)
        return place
