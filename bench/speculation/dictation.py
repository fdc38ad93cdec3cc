"""A filter that has an answer written which is known beforehand, whatever the model says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyhades.llm.engine.token_filter import ForeseeingFilter, Words


class Dictation:
    """Allows the next token of a text only; what can be foreseen is what ``grammar`` foresees."""

    def __init__(self, tokens: Sequence[int], grammar: Any = None) -> None:
        self._left = list(reversed(tokens))
        self._grammar = grammar

    @property
    def finished(self) -> bool:
        """Whether everything has been written."""
        return not self._left

    def fill(self, words: Words) -> bool:
        """The next token; the grammar is asked as well, for its time."""
        if self._grammar is not None:
            self._grammar.fill(words)
        token = self._left[-1]
        words[:] = 0
        words[token // 32] = 1 << token % 32
        return True

    def accept(self, token: int) -> None:
        """It came."""
        assert token == self._left.pop()
        if self._grammar is not None:
            self._grammar.accept(token)

    def forced(self, most: int) -> Sequence[int]:
        """What the grammar leaves no choice of."""
        return self._grammar.forced(most) if self._foresees else ()

    def count_allowed(self, tokens: Sequence[int]) -> int:
        """What the grammar allows."""
        return self._grammar.count_allowed(tokens) if self._foresees else len(tokens)

    def add_after(self, tokens: Sequence[int], words: Words) -> bool:
        """Nothing is known: all logits are to be computed, as for free text."""
        return False

    @property
    def _foresees(self) -> bool:
        return isinstance(self._grammar, ForeseeingFilter)
