"""Constraints as users write them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError, ArgumentTypeError

MOST_CHARACTERS = 1 << 18
"""Of a schema or a grammar: some seconds of compiling at most."""

Kind = Literal["json_schema", "regex", "lark", "choice"]


@dataclass(frozen=True)
class Constraint:
    """What an answer has to be.

    Made by :func:`json_schema`, :func:`regex`, :func:`lark` and :func:`choice`. Nothing is looked
    at in depth before the constraint is used.

    Attributes
    ----------
    kind
        Which of them made it.
    body
        A schema as JSON, or a grammar in the language of ``llguidance``.
    where
        What to call it in messages.
    is_lenient
        Whether it is kept to only as far as it can be.
    """

    kind: Kind
    body: str
    where: str = "constraint"
    is_lenient: bool = False

    def __post_init__(self) -> None:
        one_of("kind", self.kind, Kind)
        if len(self.body) > MOST_CHARACTERS:
            raise ArgumentError(
                f"{self.where} has {len(self.body)} characters; at most {MOST_CHARACTERS} are taken"
            )

    @property
    def part(self) -> dict[str, Any]:
        """As a grammar of the library."""
        if self.kind == "json_schema":
            return {"json_schema": json.loads(self.body)}
        return {"lark_grammar": self.body}


def regex(pattern: str) -> Constraint:
    r"""Text that a regular expression matches from its beginning to its end.

    Parameters
    ----------
    pattern
        In the syntax of Rust's ``regex``: as Python's, without looking around and references to
        groups. ``.`` is any character but a line end.

    Examples
    --------
    >>> regex(r"\d{4}-\d{2}").kind
    'regex'
    """
    _check_text(pattern, "pattern")
    return Constraint("regex", f"start: /(?:{_between_slashes(pattern)})/")


def lark(text: str) -> Constraint:
    """Text of a context-free grammar.

    Parameters
    ----------
    text
        In the dialect of Lark that ``llguidance`` reads: rules in lower case, terminals in upper
        case, the first rule is ``start``; ``%json {...}`` is a JSON schema inside of it.

    Examples
    --------
    >>> lark('start: "yes" | "no"').kind
    'lark'
    """
    _check_text(text, "grammar")
    return Constraint("lark", text)


def choice(texts: Sequence[str]) -> Constraint:
    """One of some texts.

    Examples
    --------
    >>> choice(["positive", "negative"]).kind
    'choice'
    """
    if isinstance(texts, str) or not isinstance(texts, Sequence):
        raise ArgumentTypeError(f"choice takes a list of texts, not {type(texts).__name__}")
    if not texts:
        raise ArgumentError("choice has no texts; an answer could be nothing at all")
    for text in texts:
        _check_text(text, "choice")
    alternatives = " | ".join(json.dumps(text, ensure_ascii=False) for text in texts)
    return Constraint("choice", f"start: CHOICE\nCHOICE: {alternatives}")


def check_constraint(constraint: object) -> None:
    """Refuse what none of these functions made."""
    if not isinstance(constraint, Constraint):
        raise ArgumentTypeError(
            f"constraint is {type(constraint).__name__}; make one with json_schema, regex, lark "
            "or choice of pyhades.llm.grammar"
        )


def _check_text(text: object, name: str) -> None:
    if not isinstance(text, str):
        raise ArgumentTypeError(f"{name} is {type(text).__name__}, not text")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ArgumentError(f"{name} is not valid Unicode: {error}") from None


def _between_slashes(pattern: str) -> str:
    """A pattern as it stands between slashes, on one line."""
    result: list[str] = []
    is_escaped = False
    for letter in pattern:
        if letter == "/" and not is_escaped:
            letter = "\\/"
        elif letter == "\n":
            letter = "n" if is_escaped else "\\n"
        is_escaped = letter == "\\" and not is_escaped
        result.append(letter)
    return "".join(result)
