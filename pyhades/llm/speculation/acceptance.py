"""How likely drafts are right: by where they come from and how much of the text led to them."""

from __future__ import annotations

from typing import NamedTuple

from pyhades.llm.speculation.counts import SourceName

STRENGTH = 6.0
"""Drafts that what is assumed at first counts as."""
MEMORY = 256.0
"""Drafts after which older ones fade."""
OWN = 4.0
"""Drafts after which an answer's own rate counts as much as that of all."""
SUREST = 0.995
_BY_LENGTH = (0.2, 0.35, 0.5, 0.65, 0.8, 0.9)
"""After matches of 1, 2, 3 to 4, 5 to 8, 9 to 16 and more tokens."""
_BY_SHARE = (0.4, 0.8, 1.0, 1.05)
"""Where what follows is torn, mostly so, after one occurrence or after several."""
_FIXED: dict[SourceName, float] = {"grammar": 0.95, "header": 0.9}
_LIKELIER: dict[SourceName, float] = {"prediction": 0.6}
"""Exponents: whoever predicts an answer knows more than that something was said before."""


class Key(NamedTuple):
    """What is alike among drafts, so that they are right about as often."""

    source: SourceName
    length: int = 0
    share: int = 0


def key_of(source: SourceName, length: int, share: float) -> Key:
    """The key of a draft after a match of so many tokens, of what followed so often.

    Examples
    --------
    >>> key_of("text", 7, 0.8)
    Key(source='text', length=3, share=2)
    """
    place = min(max(length - 1, 0).bit_length(), len(_BY_LENGTH) - 1)
    return Key(source, place, (share >= 0.5) + (share >= 0.65) + (share >= 0.9))


class Rate:
    """Whether the drafts of one answer from one source are right more often than those of others.

    Examples
    --------
    >>> rate = Rate()
    >>> rate.factor
    1.0
    """

    def __init__(self) -> None:
        self._right = OWN
        self._expected = OWN

    @property
    def factor(self) -> float:
        """How many times as often."""
        return self._right / self._expected

    def learn(self, expected: float, *, was_right: bool) -> None:
        """Take note of a draft."""
        self._right = 0.95 * self._right + was_right
        self._expected = 0.95 * self._expected + expected


class Acceptance:
    """Learned chances of drafts, of all answers together.

    Parameters
    ----------
    is_optimistic
        Whether to assume at first that drafts are wrong half as often.

    Examples
    --------
    >>> acceptance, key = Acceptance(), key_of("text", 1, 1.0)
    >>> round(acceptance.chance(key), 2)
    0.21
    >>> for _ in range(50):
    ...     acceptance.learn(key, was_right=True)
    >>> acceptance.chance(key) > 0.9
    True
    """

    def __init__(self, *, is_optimistic: bool = False) -> None:
        self._is_optimistic = is_optimistic
        self._seen: dict[Key, tuple[float, float]] = {}

    def chance(self, key: Key) -> float:
        """How likely such a draft is right, if all before it are."""
        right, tried = self._of(key)
        return right / tried

    def learn(self, key: Key, *, was_right: bool) -> None:
        """Take note of a draft, all before which were right."""
        right, tried = self._of(key)
        right, tried = right + was_right, tried + 1
        if tried > MEMORY:
            right, tried = right / 2, tried / 2
        self._seen[key] = right, tried

    def _of(self, key: Key) -> tuple[float, float]:
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = STRENGTH * self._assumed(key), STRENGTH
        return seen

    def _assumed(self, key: Key) -> float:
        chance = _FIXED.get(key.source)
        if chance is None:
            chance = _BY_LENGTH[key.length] ** _LIKELIER.get(key.source, 1.0)
            chance *= _BY_SHARE[key.share]
        if self._is_optimistic:
            chance = 1 - (1 - chance) / 2
        return min(chance, SUREST)
