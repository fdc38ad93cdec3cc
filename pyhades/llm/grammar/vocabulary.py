"""A tokenizer as the library sees it, made once: a second for 200 000 tokens."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from pyhades.llm.grammar.library import library
from pyhades.llm.text.tokenizer import Tokenizer


class Vocabulary:
    """The tokens that grammars are made of.

    Parameters
    ----------
    tokenizer
        Whose tokens they are.
    size
        Rows of logits; ids that have no token are never allowed.
    end
        A token that ends answers.

    Attributes
    ----------
    rules
        Rules that all grammars may use: ``text``, any tokens but special ones, and ``saying``, text
        that is not blank. Rules of tokens are followed faster than terminals, and keep nothing
        from the model that it could write.
    """

    def __init__(self, tokenizer: Tokenizer, size: int, end: int) -> None:
        special = set(tokenizer.specials.values())
        pieces = tokenizer.pieces()[:size]
        pieces += [b""] * (size - len(pieces))
        text = [index for index, piece in enumerate(pieces) if piece and index not in special]
        blank = [index for index in text if not pieces[index].strip()]
        words = sorted(set(text) - set(blank))
        self.size = size
        self.rules = (
            f"\ntext: {any_of(text)}*\nsaying: {any_of(blank)}* {any_of(words)} text\n"
            if blank and words
            else f"\ntext: {any_of(text)}*\nsaying: {any_of(text)} text\n"
        )
        wrapper = _Wrapper(tokenizer, pieces, [index for index in special if index < size], end)
        self.tokens = library().LLTokenizer(library().TokenizerWrapper(wrapper))


class _Wrapper:
    """The attributes that the library asks for."""

    bos_token_id = None

    def __init__(
        self, tokenizer: Tokenizer, pieces: list[bytes], special: list[int], end: int
    ) -> None:
        self._tokenizer = tokenizer
        self.tokens = pieces
        self.special_token_ids = special
        self.eos_token_id = end

    def __call__(self, data: bytes) -> list[int]:
        """How text is cut that a grammar leaves no choice about."""
        return self._tokenizer.encode(data.decode(errors="replace"))


def any_of(ids: Iterable[int]) -> str:
    """Any one of some tokens, in the language of the library.

    Examples
    --------
    >>> any_of([3, 4, 5, 9])
    '<[3-5,9]>'
    """
    ranges: list[list[int]] = []
    for index in sorted(ids):
        if ranges and ranges[-1][1] == index - 1:
            ranges[-1][1] = index
        else:
            ranges.append([index, index])
    texts = (f"{low}" if low == high else f"{low}-{high}" for low, high in ranges)
    return f"<[{','.join(texts)}]>"


_KNOWN: WeakKeyDictionary[Tokenizer, dict[tuple[int, int], Vocabulary]] = WeakKeyDictionary()
_MAKING = threading.Lock()


def vocabulary_of(tokenizer: Tokenizer, size: int, end: int) -> Vocabulary:
    """The vocabulary of a tokenizer, made when it is first asked for.

    Raises
    ------
    ConfigurationError
        The library is not installed.
    """
    library()
    with _MAKING:
        known = _KNOWN.setdefault(tokenizer, {})
        if (size, end) not in known:
            known[size, end] = Vocabulary(tokenizer, size, end)
        return known[size, end]


def _after_fork() -> None:
    """In a forked child nobody is there who could let go of the lock."""
    global _MAKING
    _MAKING = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
