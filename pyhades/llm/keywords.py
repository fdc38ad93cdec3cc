"""What may be said by name when a model is asked, for type checkers and editors.

At run time :class:`~pyhades.llm.engine.sampling.SamplingParams` and
:class:`~pyhades.llm.text.chat_options.ChatOptions` check the same names; tests hold them together.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from pyhades.llm.grammar.constraint import Constraint
from pyhades.llm.text.chat import ReasoningEffort


class SamplingKeywords(TypedDict, total=False):
    """Fields of :class:`pyhades.llm.SamplingParams`; None stands for the default of each."""

    temperature: float | None
    top_k: int | None
    top_p: float | None
    min_p: float | None
    repetition_penalty: float | None
    presence_penalty: float | None
    frequency_penalty: float | None
    logit_bias: Mapping[int, float] | None
    seed: int | None
    stop: str | Sequence[str] | None
    max_tokens: int | None
    logprobs: int | None
    n: int | None
    ignore_eos: bool | None


class ChatKeywords(SamplingKeywords, total=False):
    """Keywords of :meth:`pyhades.LLM.chat`, but for ``stream``, with those of sampling."""

    tools: Sequence[Mapping[str, Any]] | None
    tool_choice: str | Mapping[str, Any] | None
    parallel_tool_calls: bool | None
    reasoning_effort: ReasoningEffort
    reasoning_budget: int | None
    date: str | datetime.date | None
    instructions: str | None
    model_identity: str | None
    builtin_tools: Sequence[str | Mapping[str, Any]] | None
    response_format: Any
    continue_final_message: bool
    prediction: Any
    constraint: Constraint | None
    client: str
