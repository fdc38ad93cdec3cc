"""Beginnings of conversations that all clients share."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyhades.llm.text.chat_options import ChatOptions
from pyhades.llm.text.chat_prompt import ChatPrompt
from pyhades.llm.text.tokenizer import Tokenizer

Prompt = Callable[[Sequence[Mapping[str, Any]], Tokenizer, ChatOptions], ChatPrompt]
_ASKED = {"role": "user", "content": ""}
"""Whatever is asked: the beginning ends in front of it."""


class SharedBeginning:
    """A beginning in each of the ways in which it is told to the model.

    Parameters
    ----------
    messages
        With which conversations begin.
    options
        How they are told; each is a beginning of its own.
    """

    def __init__(
        self, messages: Sequence[Mapping[str, Any]], options: Sequence[ChatOptions]
    ) -> None:
        self._messages = messages
        self._options = options
        self._day: datetime.date | None = None

    @property
    def is_outdated(self) -> bool:
        """Whether it was last rendered with the date of another day."""
        return self._day != datetime.date.today()

    def rendered(self, prompt: Prompt, tokenizer: Tokenizer) -> list[tuple[int, ...]]:
        """The tokens of each, as of today."""
        self._day = datetime.date.today()
        prompts = [prompt([*self._messages, _ASKED], tokenizer, each) for each in self._options]
        return [each.tokens[: each.points[-2]] for each in prompts]
