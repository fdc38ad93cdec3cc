"""The beginnings of conversations that all clients of a model share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Items
from typing import Any

from pyhades.llm.models.registry import architecture_of
from pyhades.llm.requests.terms import ModelTerms
from pyhades.llm.text.beginnings import SharedBeginning
from pyhades.llm.text.chat import KNOWN_EFFORTS, ReasoningEffort
from pyhades.llm.text.chat_options import ChatOptions

Tokens = tuple[int, ...]


class Beginnings:
    """Those that were shared so far; they are told anew on every day, with its date.

    Parameters
    ----------
    terms
        Those of the model.
    """

    def __init__(self, terms: ModelTerms) -> None:
        self._terms = terms
        self._shared: list[SharedBeginning] = []

    def add(
        self,
        messages: Items[Mapping[str, Any]],
        reasoning_effort: ReasoningEffort | None,
        keywords: Mapping[str, Any],
    ) -> list[Tokens]:
        """One more, as :meth:`pyhades.LLM.share_beginning` says; its tokens in every effort."""
        efforts = KNOWN_EFFORTS if reasoning_effort is None else (reasoning_effort,)
        options = [ChatOptions(reasoning_effort=effort, **keywords) for effort in efforts]
        shared = SharedBeginning(list(messages), options)
        rendered = self._rendered(shared)
        self._shared.append(shared)
        return rendered

    def outdated(self) -> Iterator[Tokens]:
        """Those that were last told with the date of another day, as of today."""
        for shared in self._shared:
            if shared.is_outdated:
                yield from self._rendered(shared)

    def _rendered(self, shared: SharedBeginning) -> list[Tokens]:
        prompt = architecture_of(self._terms.config).chat.prompt
        return shared.rendered(prompt, self._terms.tokenizer)
