"""Where drafts come from: texts that an answer may copy, and what it has to have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pyhades.llm.speculation.acceptance import Key, key_of
from pyhades.llm.speculation.counts import SourceName
from pyhades.llm.speculation.suffix_automaton import NOWHERE, Guess, Place, SuffixAutomaton

Tokens = Sequence[int]


@dataclass(frozen=True)
class Draft:
    """Tokens that may come next.

    Attributes
    ----------
    keys
        By which the chance of each is known.
    """

    source: SourceName
    tokens: tuple[int, ...]
    keys: tuple[Key, ...]

    def beginning(self, count: int) -> Draft:
        """The first of its tokens."""
        return Draft(self.source, self.tokens[:count], self.keys[:count])


def common_length(first: Tokens, second: Tokens) -> int:
    """How many tokens two texts begin with alike.

    Examples
    --------
    >>> common_length([1, 2, 3], [1, 2, 4, 5])
    2
    """
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count


class Source(Protocol):
    """Follows one answer, and says what may come next."""

    def accept(self, token: int) -> None:
        """Take note of the next token of the text that drafts continue."""

    def propose(self, most: int) -> Draft | None:
        """What may come next, at most so many tokens; None where nothing is known."""


class OwnText:
    """What has followed the end of a text where that occurred before: it may follow again."""

    def __init__(self) -> None:
        self._automaton = SuffixAutomaton()

    def accept(self, token: int) -> None:
        """As :meth:`Source.accept`."""
        self._automaton.extend(token)

    def propose(self, most: int) -> Draft | None:
        """As :meth:`Source.propose`."""
        return _draft("text", self._automaton.guesses(self._automaton.match, most))


class OtherText:
    """What follows in other texts, where they have in them how this one ends.

    Parameters
    ----------
    name
        What those are.
    automata
        Of them; they may grow.
    at
        Where the answer is in the first of them when it begins.
    """

    def __init__(
        self, name: SourceName, automata: Iterable[SuffixAutomaton], at: Place = NOWHERE
    ) -> None:
        self._name = name
        self._automata = list(automata)
        self._places = [at, *([NOWHERE] * len(self._automata))][: len(self._automata)]

    def accept(self, token: int) -> None:
        """As :meth:`Source.accept`."""
        self._places = [
            automaton.advanced(place, token)
            for automaton, place in zip(self._automata, self._places, strict=True)
        ]

    def propose(self, most: int) -> Draft | None:
        """As :meth:`Source.propose`, from where most of the text was found."""
        if not self._automata:
            return None
        longest = max(range(len(self._places)), key=lambda index: self._places[index].length)
        return _draft(self._name, self._automata[longest].guesses(self._places[longest], most))


class Headers:
    """What stands between the messages of an answer, once it has begun.

    Parameters
    ----------
    texts
        As tokens. Where some begin alike, that far is proposed; then the rest of the first of them.

    Examples
    --------
    >>> headers = Headers([(1, 2, 3, 4), (1, 2, 5)])
    >>> headers.accept(1)
    >>> headers.propose(8).tokens
    (2,)
    >>> headers.accept(2)
    >>> headers.propose(8).tokens
    (3, 4)
    """

    def __init__(self, texts: Iterable[Tokens]) -> None:
        self._rest: dict[tuple[int, ...], tuple[int, ...]] = {}
        for text in map(tuple, texts):
            for count in range(1, len(text)):
                rest = self._rest.setdefault(text[:count], text[count:])
                alike = common_length(rest, text[count:])
                self._rest[text[:count]] = rest[:alike] or rest
        self._known = {token for begun in self._rest for token in begun}
        self._longest = max(map(len, self._rest), default=0)
        self._read: tuple[int, ...] = ()

    def accept(self, token: int) -> None:
        """As :meth:`Source.accept`."""
        read = (*self._read, token)[-self._longest :] if token in self._known else ()
        while read and read not in self._rest:
            read = read[1:]
        self._read = read

    def propose(self, most: int) -> Draft | None:
        """As :meth:`Source.propose`."""
        return _sure("header", self._rest.get(self._read, ())[:most])


class Forced:
    """What a grammar leaves no choice of.

    Parameters
    ----------
    forced
        Gives so many tokens at most.
    """

    def __init__(self, forced: Callable[[int], Tokens]) -> None:
        self._forced = forced

    def accept(self, token: int) -> None:
        """As :meth:`Source.accept`; the grammar knows by itself."""

    def propose(self, most: int) -> Draft | None:
        """As :meth:`Source.propose`."""
        return _sure("grammar", self._forced(most)[:most])


def predicted(texts: Sequence[Tokens], headers: Sequence[Tokens]) -> OtherText | None:
    """Texts that an answer is expected to repeat; None of none.

    The first begins where the answer does or, where there are headers, after the first of those, as
    what is said to the user stands after a header.
    """
    texts = [text for text in texts if text]
    if not texts:
        return None
    automaton = SuffixAutomaton()
    for number, text in enumerate(texts, 1):
        automaton.extend(-number)  # so that no text goes on as the next one
        automaton.extend_all(headers[0] if headers and number == 1 else ())
        automaton.extend_all(text)
    automaton.extend(-len(texts) - 1)
    at = NOWHERE if headers else automaton.advanced(NOWHERE, -1)
    return OtherText("prediction", [automaton], at)


def _draft(name: SourceName, guesses: Sequence[Guess]) -> Draft | None:
    if not guesses:
        return None
    keys = tuple(key_of(name, guess.length, guess.share) for guess in guesses)
    return Draft(name, tuple(guess.token for guess in guesses), keys)


def _sure(name: SourceName, tokens: Tokens) -> Draft | None:
    return Draft(name, tuple(tokens), (Key(name),) * len(tokens)) if tokens else None
