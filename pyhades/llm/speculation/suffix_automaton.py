"""What a text may go on with, by where its end occurred in it before: a suffix automaton.

It recognises every substring of a text, and grows with it, at a cost per token that does not depend
on its length, in the mean. A state stands for all substrings that end at the same places; the link
of a state leads to the longest shorter suffix that ends at more places. So the link of the last
state is the longest end of the text that occurred before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

COUNTED = 8
"""Suffixes of a text, the longest first, of which is counted what follows them: all would take time
that grows with the text."""


class Place(NamedTuple):
    """A substring, as the state that it belongs to and its length."""

    state: int
    length: int


NOWHERE = Place(0, 0)
"""The empty substring."""


class Guess(NamedTuple):
    """A token that may come next.

    Attributes
    ----------
    length
        Of the substring that it has followed.
    share
        How often it was this token that followed, of all times, as seen with some caution: one
        time is two thirds.
    """

    token: int
    length: int
    share: float


class SuffixAutomaton:
    """Substrings of a text that grows.

    Parameters
    ----------
    counted
        Of how many suffixes of the text is counted what follows them, at each token.

    Examples
    --------
    >>> automaton = SuffixAutomaton()
    >>> automaton.extend_all([1, 2, 3, 4, 1, 2, 3])
    >>> automaton.match.length
    3
    >>> [guess.token for guess in automaton.guesses(automaton.match, 2)]
    [4, 1]
    """

    def __init__(self, counted: int = COUNTED) -> None:
        self.size = 0
        """Tokens of the text."""
        self._counted = counted
        self._last = 0
        # Of each state: the length of its longest substring, its link, where each token leads,
        # how often tokens followed after the first time, and which followed last.
        self._length = [0]
        self._link = [-1]
        self._next: list[dict[int, int]] = [{}]
        self._again: list[dict[int, int] | None] = [None]
        self._latest = [-1]

    def extend_all(self, tokens: Iterable[int]) -> None:
        """Add some tokens to the text."""
        for token in tokens:
            self.extend(token)

    def extend(self, token: int) -> None:
        """Add a token to the text. A negative one, used once, separates texts of another."""
        nexts, link, latest = self._next, self._link, self._latest
        self.size += 1
        new = self._added(self.size, 0, {}, None, -1)
        state = self._last
        while state != -1 and token not in nexts[state]:
            nexts[state][token] = new
            latest[state] = token
            state = link[state]
        if state != -1:
            self._count(state, token)
            link[new] = self._split(state, token)
        self._last = new

    @property
    def match(self) -> Place:
        """The longest end of the text that occurred in it before."""
        state = max(self._link[self._last], 0)
        return Place(state, self._length[state])

    def advanced(self, place: Place, token: int) -> Place:
        """The longest suffix of another text that occurs here, once that goes on with ``token``.

        Parameters
        ----------
        place
            The longest such suffix before.

        Examples
        --------
        >>> automaton = SuffixAutomaton()
        >>> automaton.extend_all([5, 6, 7, 8])
        >>> place = NOWHERE
        >>> for token in [9, 6, 7]:
        ...     place = automaton.advanced(place, token)
        >>> place.length
        2
        """
        state, length = place
        while state and token not in self._next[state]:
            state = self._link[state]
            length = min(length, self._length[state])
        after = self._next[state].get(token)
        return NOWHERE if after is None else Place(after, length + 1)

    def guesses(self, place: Place, most: int) -> list[Guess]:
        """What may follow a substring, token by token: what did most often, of equals the latest.

        Where the text ends, it goes on as after the longest end that occurred before.

        Parameters
        ----------
        place
            What stands before the first of them.
        most
            Tokens.

        Returns
        -------
        list of Guess
            Fewer where another text would begin, or nothing is known.
        """
        found: list[Guess] = []
        state, length = place
        while len(found) < most:
            while state and not self._next[state]:
                state = self._link[state]
                length = min(length, self._length[state])
            if not state:
                break
            token, share = self._likeliest(state)
            if token < 0:
                break
            found.append(Guess(token, length, share))
            state, length = self._next[state][token], length + 1
        return found

    def times(self, place: Place) -> dict[int, int]:
        """How often each token followed a substring, as far as it was counted."""
        again = self._again[place.state] or {}
        return {token: 1 + again.get(token, 0) for token in self._next[place.state]}

    def _likeliest(self, state: int) -> tuple[int, float]:
        nexts, again = self._next[state], self._again[state]
        if again is None:  # all of them followed once
            token = self._latest[state]
            return token, 1 / (len(nexts) + 0.5)
        latest = self._latest[state]
        token, times = latest, again.get(latest, 0)
        for other, count in again.items():
            if count > times:
                token, times = other, count
        return token, (1 + times) / (len(nexts) + sum(again.values()) + 0.5)

    def _count(self, state: int, token: int) -> None:
        """Take note that ``token`` has followed a suffix, and shorter ones, once more."""
        for _ in range(self._counted):
            if state <= 0:
                return
            again = self._again[state]
            if again is None:
                again = self._again[state] = {}
            again[token] = again.get(token, 0) + 1
            self._latest[state] = token
            state = self._link[state]

    def _split(self, state: int, token: int) -> int:
        """The state of a suffix with ``token``, apart from longer ones that end elsewhere, too."""
        length, link, nexts = self._length, self._link, self._next
        target = nexts[state][token]
        if length[target] == length[state] + 1:
            return target
        again = self._again[target]
        copy = self._added(
            length[state] + 1, link[target], dict(nexts[target]),
            None if again is None else dict(again), self._latest[target],
        )  # fmt: skip
        while state != -1 and nexts[state].get(token) == target:
            nexts[state][token] = copy
            state = link[state]
        link[target] = copy
        return copy

    def _added(
        self,
        length: int,
        link: int,
        nexts: dict[int, int],
        again: dict[int, int] | None,
        latest: int,
    ) -> int:
        self._length.append(length)
        self._link.append(link)
        self._next.append(nexts)
        self._again.append(again)
        self._latest.append(latest)
        return len(self._length) - 1
