"""Conversations, in the chat format of a model, as requests."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass, replace
from typing import Any

from pyhades.llm.engine.guided import guided
from pyhades.llm.engine.sampling import SamplingParams
from pyhades.llm.grammar.constraint import Constraint
from pyhades.llm.grammar.turn import turn_constraint
from pyhades.llm.models.registry import architecture_of
from pyhades.llm.requests.prepared import PreparedChat, Write
from pyhades.llm.requests.terms import ModelTerms
from pyhades.llm.text.chat import ChatAnswer
from pyhades.llm.text.chat_options import ChatOptions
from pyhades.llm.text.recall import Recall


@dataclass(frozen=True)
class AskedChat:
    """What a caller of :meth:`pyhades.LLM.chat` asks.

    Attributes
    ----------
    sampling
        Fields of ``params`` that are set anew.
    """

    messages: Items[Mapping[str, Any]]
    params: SamplingParams | None
    options: ChatOptions
    constraint: Constraint | None
    client: str
    sampling: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        messages: Items[Mapping[str, Any]],
        params: SamplingParams | None,
        keywords: Mapping[str, Any],
    ) -> AskedChat:
        """As the keywords of :meth:`pyhades.LLM.chat` say, which are checked."""
        options, others = ChatOptions.taken_from(keywords)
        constraint, client = others.pop("constraint", None), others.pop("client", "")
        return cls(messages, params, options, constraint, client, others)

    @property
    def may_compile(self) -> bool:
        """Whether a grammar may have to be compiled, which takes a while."""
        options = self.options
        return (
            self.constraint is not None or options.form is not None or bool(options.offer.functions)
        )


class ChatPreparer:
    """Turns conversations into what a model reads, its earlier answers as it has written them.

    Parameters
    ----------
    terms
        Those of the model.
    """

    def __init__(self, terms: ModelTerms) -> None:
        self._terms = terms
        self._format = architecture_of(terms.config).chat
        self._recall = Recall()

    def prepared(self, asked: AskedChat, write: Write) -> PreparedChat:
        """A conversation, ready to be answered.

        Parameters
        ----------
        asked
            What is asked.
        write
            Gives requests to the engine.

        Raises
        ------
        ArgumentError
            A message, tool or parameter means nothing, the chat format cannot say it, or a schema
            cannot be followed.
        CapacityError
            The conversation is longer than the context.
        """
        terms, options = self._terms, asked.options
        grammar = turn_constraint(options, asked.constraint, self._format, terms.tokenizer)
        options = replace(options, is_constrained=grammar is not None)
        recalled = self._recall.recalled(asked.client, asked.messages)
        prompt = self._format.prompt(recalled, terms.tokenizer, options)
        params = terms.sampling(asked.params, asked.sampling)
        # Stop strings end what is said to the user, and not the reasoning before it.
        request = terms.request(
            0, prompt.tokens, params.changed(stop=()), terms.stop_ids(params) - prompt.goes_on,
            asked.client, guided(prompt.guide, terms.filters(grammar, prompt.begun)),
        )  # fmt: skip
        request = replace(
            request, points=prompt.points, opens=prompt.opens,
            drafts=terms.drafts(options.predicted), headers=prompt.headers,
        )  # fmt: skip
        return PreparedChat(write, request, prompt, params.stop)

    def remember(self, answer: ChatAnswer, client: str) -> ChatAnswer:
        """An answer, which is known by the ids of its calls when it comes back as history."""
        for choice in answer.choices:
            ids = [call.id for call in choice.tool_calls]
            self._recall.remember(client, ids, choice.written)
        return answer
