"""Tokens that an answer has to have, as a filter that leaves no choice."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from pyhades.llm.engine.token_filter import FilterFactory, ForeseeingFilter, TokenFilter, Words
from pyhades.llm.text.chat_prompt import Guide


class GuidedFilter:
    """Allows what a guide demands where it does, and what another filter allows elsewhere.

    Parameters
    ----------
    guide
        Says which tokens have to follow.
    others
        Allows tokens where the guide demands none; None allows all.
    """

    def __init__(self, guide: Guide, others: TokenFilter | None = None) -> None:
        self._guide = guide
        self._others = others
        self._forced: deque[int] = deque()

    @property
    def finished(self) -> bool:
        """Whether the answer ends with the tokens accepted so far."""
        return self._guide.is_over or (self._others is not None and self._others.finished)

    def fill(self, words: Words) -> bool:
        """As :meth:`pyhades.llm.engine.token_filter.TokenFilter.fill`."""
        if not self._forced:
            return self._others is not None and self._others.fill(words)
        token = self._forced[0]
        words[:] = 0
        words[token // 32] = 1 << token % 32
        return True

    def accept(self, token: int) -> None:
        """Take note of the token that was chosen."""
        if self._forced:
            self._forced.popleft()
        self._forced.extend(self._guide.after(token))
        if self._others is not None:
            self._others.accept(token)

    def forced(self, most: int) -> Sequence[int]:
        """What the guide demands, or the other filter where it does nothing."""
        if self._forced:
            return list(self._forced)[:most]
        return self._others.forced(most) if isinstance(self._others, ForeseeingFilter) else ()

    def count_allowed(self, tokens: Sequence[int]) -> int:
        """How many of the first of some tokens may come next, but for what is demanded later."""
        for place, (token, demanded) in enumerate(zip(tokens, self._forced, strict=False)):
            if token != demanded:
                return place
        if self._forced or not isinstance(self._others, ForeseeingFilter):
            return len(tokens)
        return self._others.count_allowed(tokens)

    def add_after(self, tokens: Sequence[int], words: Words) -> bool:
        """Not known: only the guide knows what it will demand."""
        return False


def guided(
    guide: Callable[[], Guide] | None, others: FilterFactory | None = None
) -> FilterFactory | None:
    """Filters that obey guides, and others where those are silent; None where there are neither."""
    if guide is None:
        return others
    return lambda: GuidedFilter(guide(), None if others is None else others())
