"""A conversation as a model reads it, and how its answer is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pyhades.llm.text.chat import ChatDelta, FinishReason


class ChatParser(Protocol):
    """Splits the tokens of an answer into the pieces of its messages."""

    def push(self, token: int) -> Sequence[ChatDelta]:
        """What has come with one more token."""

    def finish(self, reason: FinishReason | None = None) -> Sequence[ChatDelta]:
        """What is left at the end; the last piece says why the answer ended."""


class Guide(Protocol):
    """Says which tokens an answer has to have, whatever the model would say."""

    def after(self, token: int) -> Sequence[int]:
        """The tokens that have to follow, once ``token`` has come; mostly none."""

    @property
    def is_over(self) -> bool:
        """Whether the answer ends with the token that came last."""


@dataclass(frozen=True)
class ChatPrompt:
    """What a model reads, and how it is answered.

    Attributes
    ----------
    tokens
        Of the whole prompt.
    begun
        The last of them, with which the answer begins already: the parser gets them first.
    parser
        Makes what reads one answer.
    guide
        Makes what one answer is guided by.
    goes_on
        Tokens at which the answer does not end, although the model's answers do.
    ends
        Tokens that end a turn, or a call in it: up to the last of them an answer is whole.
    points
        Offsets in the prompt from which other prompts are likely to go on, in order: the end of the
        instructions, the beginning of the last message of the user, and the end of the
        conversation, where the answer begins.
    opens
        Tokens that an answer ends with, or before its last, where it leaves a chain of calls open.
    headers
        What may stand between messages of the answer, and before the first: as whole as can be
        known. What is said to the user stands behind the first of them.
    """

    tokens: tuple[int, ...]
    begun: tuple[int, ...]
    parser: Callable[[], ChatParser]
    guide: Callable[[], Guide] | None = None
    goes_on: frozenset[int] = frozenset()
    ends: frozenset[int] = frozenset()
    points: tuple[int, ...] = ()
    opens: frozenset[int] = frozenset()
    headers: tuple[tuple[int, ...], ...] = ()


def common_beginning(answers: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """What all of some answers begin with: the model chooses among them."""
    count = 0
    for column in zip(*answers, strict=False):
        if len(set(column)) > 1:
            break
        count += 1
    return tuple(answers[0][:count])
