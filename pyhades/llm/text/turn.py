"""The turn of an answer while it is written: its tokens, and what they say."""

from __future__ import annotations

from collections.abc import Sequence

from pyhades.llm.text.chat import ChatAnswer, ChatDelta, messages_of
from pyhades.llm.text.chat_prompt import ChatPrompt
from pyhades.llm.text.written import Written


class Turn:
    """Collects an answer, so that it is known when it comes back as history.

    Parameters
    ----------
    prompt
        What is answered.
    begun
        The pieces of what its last tokens have begun of the answer.
    """

    def __init__(self, prompt: ChatPrompt, begun: Sequence[ChatDelta]) -> None:
        self._ends = prompt.ends
        self._tokens = list(prompt.begun)
        self._pieces = list(begun)
        self._whole = 0, 0

    def add(self, token: int, pieces: Sequence[ChatDelta]) -> None:
        """One more token, and the pieces that have come with it."""
        self._tokens.append(token)
        self._pieces += pieces
        if token in self._ends:
            self._whole = len(self._tokens), len(self._pieces)

    def written(self, last: Sequence[ChatDelta]) -> Written | None:
        """The answer; None where it has no end, or says what nobody is told.

        Parameters
        ----------
        last
            The pieces that come at the end.
        """
        tokens, pieces = self._whole
        rest = [*self._pieces[pieces:], *last]
        if not tokens or any(piece.text for piece in rest):
            return None
        messages = tuple(messages_of(self._pieces[:pieces]))
        if any(message.kind == "other" for message in messages):
            return None
        return Written(tuple(self._tokens[:tokens]), ChatAnswer(messages).message)
