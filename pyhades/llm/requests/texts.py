"""Prompts that are continued as they are, as requests."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass, field, replace
from typing import Any

from pyhades.llm.engine.request import Prompt, as_list
from pyhades.llm.engine.sampling import SamplingParams
from pyhades.llm.grammar.compiled import Grammar
from pyhades.llm.grammar.constraint import Constraint
from pyhades.llm.requests.prepared import PreparedTexts, Write
from pyhades.llm.requests.terms import ModelTerms


@dataclass(frozen=True)
class AskedTexts:
    """What a caller of :meth:`pyhades.LLM.generate` asks.

    Attributes
    ----------
    sampling
        Fields of ``params`` that are set anew.
    """

    prompts: Prompt | Items[Prompt]
    params: SamplingParams | None = None
    constraint: Constraint | None = None
    prediction: Prompt | None = None
    client: str = ""
    sampling: Mapping[str, Any] = field(default_factory=dict)

    def prepared(self, terms: ModelTerms, write: Write) -> PreparedTexts:
        """The prompts, ready to be continued.

        Parameters
        ----------
        terms
            Those of the model.
        write
            Gives requests to the engine.

        Raises
        ------
        ArgumentError
            A prompt or parameter means nothing, or the constraint cannot be followed.
        CapacityError
            A prompt is longer than the context.
        """
        params = terms.sampling(self.params, self.sampling)
        stop_ids, filters = terms.stop_ids(params), None
        if self.constraint is not None:  # nothing follows a whole document
            ends = terms.config.eos_token_ids
            stop_ids, filters = frozenset(ends), terms.filters(Grammar.of(self.constraint, ends))
        prompts, are_several = as_list(self.prompts)
        drafts = terms.drafts(self.prediction)
        requests = []
        for number, prompt in enumerate(prompts):
            tokens = terms.tokens_of(prompt)
            request = terms.request(number, tokens, params, stop_ids, self.client, filters)
            requests.append(replace(request, drafts=drafts))
        return PreparedTexts(write, requests, are_several=are_several)
