"""What is known of one answer when its next token is chosen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyhades.llm.engine.token_filter import (
    FilterFactory,
    ForeseeingFilter,
    TokenFilter,
    Words,
)
from pyhades.llm.engine.token_table import TokenTable


class SamplerState:
    """Settings of an answer, and what its tokens so far have changed.

    Parameters
    ----------
    settings, top_k, likeliest
        Of :func:`pyhades.kernels.sample_rows`: the first in the order of
        :data:`pyhades.kernels.sampling.SETTINGS`, the last -1 for no log-probability.
    random
        Where random numbers come from, one for each token; None where none are needed.
    table
        Tokens whose logits change.
    counts_tokens
        Whether tokens that are written change theirs.
    filter_factory
        Makes what allows tokens; None allows all.
    """

    def __init__(
        self,
        settings: Sequence[float],
        top_k: int,
        likeliest: int,
        random: np.random.Generator | None,
        table: TokenTable | None = None,
        *,
        counts_tokens: bool = False,
        filter_factory: FilterFactory | None = None,
    ) -> None:
        self.settings = tuple(settings)
        self.top_k = top_k
        self.likeliest = likeliest
        self.table = table
        self._random = random
        self._counts_tokens = counts_tokens
        self._filter_factory = filter_factory
        self._filter: TokenFilter | None = None
        self._foresight: ForeseeingFilter | None = None

    def uniform(self) -> float:
        """The random number of the next token."""
        return 0.0 if self._random is None else self._random.random()

    @property
    def is_filtered(self) -> bool:
        """Whether something limits the tokens."""
        return self._filter_factory is not None

    @property
    def is_finished(self) -> bool:
        """Whether the filter of tokens says that the answer is complete."""
        return self._filter is not None and self._filter.finished

    def fill(self, words: Words) -> bool:
        """See :meth:`pyhades.llm.engine.token_filter.TokenFilter.fill`."""
        if self._filter is None:
            assert self._filter_factory is not None
            self._filter = self._filter_factory()
            if isinstance(self._filter, ForeseeingFilter):
                self._foresight = self._filter
        return self._filter.fill(words)

    def forced(self, most: int) -> Sequence[int]:
        """Tokens that come next because nothing else may, as far as the filter of tokens knows."""
        try:
            return () if self._foresight is None else self._foresight.forced(most)
        except Exception:  # the filter will say so again when it has to
            return ()

    def count_allowed(self, tokens: Sequence[int]) -> int:
        """How many of the first of some tokens the filter would let pass, as far as it knows."""
        try:
            return len(tokens) if self._foresight is None else self._foresight.count_allowed(tokens)
        except Exception:
            return 0

    def add_after(self, tokens: Sequence[int], words: Words) -> bool:
        """See :meth:`pyhades.llm.engine.token_filter.ForeseeingFilter.add_after`."""
        try:
            return self._foresight is not None and self._foresight.add_after(tokens, words)
        except Exception:
            return False

    def accept(self, token: int) -> None:
        """Take note of a token that was chosen."""
        if self.table is not None and self._counts_tokens:
            self.table.count(token)
        if self._filter is not None:
            self._filter.accept(token)
