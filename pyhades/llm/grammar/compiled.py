"""From constraints to filters of tokens."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.errors import ArgumentError
from pyhades.llm.grammar.constraint import Constraint, check_constraint
from pyhades.llm.grammar.json_schema import json_schema
from pyhades.llm.grammar.library import complaint, guarded, library, with_room
from pyhades.llm.grammar.schema_ends import passed_over
from pyhades.llm.grammar.schema_faults import refused
from pyhades.llm.grammar.schema_walk import Path, pointer
from pyhades.llm.grammar.vocabulary import Vocabulary, any_of, vocabulary_of
from pyhades.llm.text.tokenizer import Tokenizer

Found = tuple[Path, str] | None
_NO_FORCING = '%llguidance { "no_forcing": true }\n'
"""Where a grammar leaves no choice, the library writes on by itself, and cuts the text as the
tokenizer would. Rules of users may have it write white space for ever."""
KEPT = 64
"""Compiled grammars of a model."""
KEPT_CHARACTERS = 1 << 20
"""Of all of them: large ones take tens of megabytes each."""


@dataclass(frozen=True)
class Grammar:
    """A whole answer, up to the token that ends it.

    Attributes
    ----------
    rules
        In the language of the library. They begin at ``start``, refer to parts as ``@NAME``, and
        may use ``text`` and ``saying`` of :class:`~pyhades.llm.grammar.vocabulary.Vocabulary`.
    parts
        Constraints by name.
    """

    rules: str
    parts: tuple[tuple[str, Constraint], ...] = ()

    @classmethod
    def of(cls, constraint: Constraint, ends: Sequence[int]) -> Grammar:
        """An answer that is nothing else.

        Parameters
        ----------
        constraint
            What it is.
        ends
            Tokens of which one has to follow.
        """
        check_constraint(constraint)
        if not ends:
            raise ArgumentError(
                "this model has no token that ends an answer, so nothing can be told to end"
            )
        return cls(f"start: @answer {any_of(ends)}", (("answer", constraint),))


class Filter:
    """The tokens of one answer: those that may come next, from the state of a grammar.

    It is a :class:`pyhades.llm.engine.token_filter.TokenFilter`.
    """

    def __init__(self, matcher: Any, size: int) -> None:
        self._matcher = matcher
        self._count = (size + 31) // 32

    def fill(self, words: NDArray[np.uint32]) -> bool:
        """Set the bits of the tokens that may come next, and clear all others.

        Raises
        ------
        ArgumentError
            The grammar has grown beyond what the library follows.
        """
        mask = words[: self._count]
        words[self._count :] = 0
        guarded(lambda: self._matcher.unsafe_compute_mask_ptr(mask.ctypes.data, mask.nbytes))
        self._check()
        return True

    def accept(self, token: int) -> None:
        """Take the token that came.

        Raises
        ------
        ArgumentError
            It is not allowed.
        """
        guarded(lambda: self._matcher.consume_token(token))
        self._check()

    @property
    def finished(self) -> bool:
        """Whether nothing may follow."""
        return bool(self._matcher.is_stopped())

    def forced(self, most: int) -> Sequence[int]:
        """Tokens that come next because nothing else may."""
        if self.finished:
            return ()
        tokens: list[int] = guarded(self._matcher.compute_ff_tokens)
        return tokens[:most]

    def count_allowed(self, tokens: Sequence[int]) -> int:
        """How many of the first of some tokens may come next."""
        if self.finished:
            return 0
        return int(guarded(lambda: self._matcher.validate_tokens(list(tokens))))

    def add_after(self, tokens: Sequence[int], words: NDArray[np.uint32]) -> bool:
        """Set the bits of what may come after the first, the first two ... of some tokens."""
        taken = 0
        mask = np.empty_like(words)
        try:
            for token in tokens:
                if not guarded(partial(self._matcher.try_consume_tokens, [token])):
                    return False
                taken += 1
                if self.finished:
                    break
                self.fill(mask)
                words |= mask
        finally:
            if taken:
                guarded(lambda: self._matcher.rollback(taken))
        return True

    def _check(self) -> None:
        if self._matcher.is_error():
            raise ArgumentError(f"the constraint cannot be followed: {_first_line(self._matcher)}")


class Compiled:
    """A grammar for a vocabulary, from which filters begin."""

    def __init__(self, matcher: Any, size: int) -> None:
        self._matcher = matcher
        self._size = size

    def filters(self, begun: Sequence[int] = ()) -> Callable[[], Filter]:
        """What makes a filter for each of the answers to a prompt.

        Parameters
        ----------
        begun
            Tokens of the answer that are in the prompt.

        Raises
        ------
        ArgumentError
            The answer cannot begin with them.
        """
        start = self._matcher
        if begun:
            start = start.deep_copy()
            taken = start.try_consume_tokens(list(begun))
            if taken < len(begun) or start.is_stopped():
                raise ArgumentError(
                    f"the answer was begun with {len(begun)} tokens, of which the constraint "
                    f"allows {taken}"
                )
        return lambda: Filter(start.deep_copy(), self._size)


class Grammars:
    """The grammars of a model: compiled in the thread of whoever asks, and kept.

    Parameters
    ----------
    tokenizer
        That of the model.
    size
        Rows of its logits.
    ends
        Tokens that end its answers.
    """

    def __init__(self, tokenizer: Tokenizer, size: int, ends: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        self._size = size
        self._end = ends[0] if ends else size - 1
        self._kept: OrderedDict[bytes, tuple[Compiled, int]] = OrderedDict()
        self._lock = threading.Lock()

    def compiled(self, grammar: Grammar) -> Compiled:
        """A grammar, ready to be followed.

        Raises
        ------
        ArgumentError
            It cannot be followed; the message says where.
        ConfigurationError
            The library is not installed.
        """
        vocabulary = vocabulary_of(self._tokenizer, self._size, self._end)
        text = _as_text(grammar, vocabulary)
        key = sha256(text.encode()).digest()
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
        compiled = _compiled(grammar, text, vocabulary)
        with self._lock:
            self._kept[key] = compiled, len(text)
            self._forget()
        return compiled

    def _forget(self) -> None:
        """Let go of those that were not used for longest."""
        total = sum(size for _, size in self._kept.values())
        while len(self._kept) > 1 and (len(self._kept) > KEPT or total > KEPT_CHARACTERS):
            _, (_, size) = self._kept.popitem(last=False)
            total -= size


def _as_text(grammar: Grammar, vocabulary: Vocabulary) -> str:
    rules = grammar.rules + vocabulary.rules
    if any(constraint.kind == "lark" for _, constraint in grammar.parts):
        rules = _NO_FORCING + rules
    parts = [{"name": "turn", "lark_grammar": rules}]
    parts += [{"name": name, **constraint.part} for name, constraint in grammar.parts]
    return json.dumps({"grammars": parts})


def _compiled(grammar: Grammar, text: str, vocabulary: Vocabulary) -> Compiled:
    for _, constraint in grammar.parts:
        if not constraint.is_lenient:
            _refuse(constraint, passed_over)
    limits = library().LLParserLimits(verbose_errors=False)
    build = partial(library().LLMatcher, vocabulary.tokens, text, log_level=0, limits=limits)
    matcher = with_room(build)
    if not matcher.is_error():
        first = matcher.deep_copy()
        first.compute_bitmask()  # what cannot be begun shows here
        if not first.is_stopped():
            return Compiled(matcher, vocabulary.size)
        matcher = first
    lenient = Grammar(grammar.rules, tuple(_or_anything(*part) for part in grammar.parts))
    if lenient != grammar:
        return _compiled(lenient, _as_text(lenient, vocabulary), vocabulary)
    for _, constraint in grammar.parts:
        _refuse(constraint, refused)
        _refuse_text(constraint)
    raise ArgumentError(f"the constraint cannot be followed: {_first_line(matcher)}")


def _or_anything(name: str, constraint: Constraint) -> tuple[str, Constraint]:
    """A part of a grammar, or any object in place of a schema that only has to be tried."""
    if constraint.is_lenient and refused(json.loads(constraint.body)):
        constraint = json_schema({"type": "object"}, where=constraint.where)
    return name, constraint


def _refuse(constraint: Constraint, look: Callable[[Mapping[str, Any]], Found]) -> None:
    """Say where a schema has a fault, if it has one."""
    if constraint.kind == "json_schema":
        found = look(json.loads(constraint.body))
        if found is not None:
            path, message = found
            place = pointer(path) or "the top"
            raise ArgumentError(f"{constraint.where}, at {place}: {message.strip()}")


def _refuse_text(constraint: Constraint) -> None:
    """Say what is wrong with a grammar, if anything is."""
    message = "" if constraint.kind == "json_schema" else complaint(constraint.part)
    if message:
        raise ArgumentError(f"{constraint.where}: {message.strip()}")


def _first_line(matcher: Any) -> str:
    message = matcher.get_error() or f"it ends with {matcher.stop_reason()}"
    return str(message).strip().splitlines()[0]
