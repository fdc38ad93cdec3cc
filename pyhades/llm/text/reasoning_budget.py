"""An end to reasoning that grows too long."""

from __future__ import annotations

from collections.abc import Sequence

from pyhades.llm.text.chat_prompt import ChatParser


class ReasoningBudget:
    """Ends the chain of thought of an answer after a number of tokens.

    Parameters
    ----------
    parser
        Of the answer.
    most
        Tokens of reasoning.
    exits
        What ends it: the first time, the second time, ...; the last for all times after.
    """

    def __init__(self, parser: ChatParser, most: int, exits: Sequence[Sequence[int]]) -> None:
        self._parser = parser
        self._left = most
        self._exits = list(exits)
        self._forced = 0
        self._unread = 0

    is_over = False

    def after(self, token: int) -> Sequence[int]:
        """The tokens that have to follow."""
        pieces = self._parser.push(token)
        self._unread += 1
        if self._forced:
            self._forced -= 1
            return ()
        if not pieces:  # a header, or a character that is not complete and must not be cut
            return ()
        if pieces[-1].kind == "reasoning" and pieces[-1].text:
            self._left -= self._unread
        self._unread = 0
        if pieces[-1].kind != "reasoning" or self._left > 0:
            return ()
        exit_ = self._exits.pop(0) if len(self._exits) > 1 else self._exits[0]
        self._forced = len(exit_)
        return exit_
