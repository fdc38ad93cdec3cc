"""What a cache without limits would find: counted on its own, by tokens, without ours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int32]


class _Edge:
    """Tokens that follow each other alone, and what comes after, by its first token."""

    __slots__ = ("following", "tokens")

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.following: dict[int, _Edge] = {}


class Trie:
    """All texts so far, told apart token by token.

    Examples
    --------
    >>> trie = Trie()
    >>> trie.add(np.array([1, 2, 3], np.int32))
    >>> trie.common(np.array([1, 2, 9], np.int32))
    2
    """

    def __init__(self) -> None:
        self._root = _Edge(np.empty(0, np.int32))

    def common(self, tokens: Tokens) -> int:
        """With how many of its tokens some text begins."""
        edge, at = self._root, 0
        while at < len(tokens):
            following = edge.following.get(int(tokens[at]))
            if following is None:
                break
            equal = _equal(following.tokens, tokens[at:])
            at += equal
            if equal < len(following.tokens):
                break
            edge = following
        return at

    def add(self, tokens: Tokens) -> None:
        """Remember a text."""
        edge, at = self._root, 0
        while at < len(tokens):
            first = int(tokens[at])
            following = edge.following.get(first)
            if following is None:
                edge.following[first] = _Edge(tokens[at:].copy())
                return
            equal = _equal(following.tokens, tokens[at:])
            if equal < len(following.tokens):
                upper = _Edge(following.tokens[:equal])
                following.tokens = following.tokens[equal:]
                upper.following[int(following.tokens[0])] = following
                edge.following[first] = following = upper
            edge, at = following, at + equal


def _equal(one: Tokens, other: Tokens) -> int:
    """With how many tokens both begin."""
    length = min(len(one), len(other))
    differing = np.flatnonzero(one[:length] != other[:length])
    return int(differing[0]) if differing.size else length


class Reusable:
    """Texts per client, and what of them is declared to be everybody's."""

    def __init__(self, declared: Sequence[Tokens] = ()) -> None:
        self._declared = Trie()
        for text in declared:
            self._declared.add(text)
        self._shared = Trie()
        self._of_client: dict[str, Trie] = {}

    def found(self, tokens: Tokens, client: str) -> int:
        """Tokens of a prompt that were read before; its last one is read in any case."""
        own = self._of_client.get(client)
        shared = self._shared.common(tokens)
        return min(max(shared, own.common(tokens) if own else 0), len(tokens) - 1)

    def add(self, tokens: Tokens, client: str) -> None:
        """A text was read for a client."""
        self._of_client.setdefault(client, Trie()).add(tokens)
        self._shared.add(tokens[: self._declared.common(tokens)])
