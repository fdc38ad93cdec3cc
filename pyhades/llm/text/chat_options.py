"""What a caller says of a chat besides its messages, in one object that every format takes."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from pyhades.arguments import check_count, one_of
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.llm.text.chat import KnownEffort, ReasoningEffort
from pyhades.llm.text.prediction import predicted_text
from pyhades.llm.text.response_format import ResponseFormat, response_format_of
from pyhades.llm.text.tools import Choice, Offer, function_names, offer

_KNOWN: Mapping[ReasoningEffort, KnownEffort] = {
    "none": "low", "minimal": "low", "low": "low", "medium": "medium", "high": "high",
    "xhigh": "high", "max": "high",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ChatOptions:
    """How a conversation is told to a model; the keywords of :meth:`pyhades.LLM.chat`.

    None stands for the default, but for ``date``, which it leaves out.

    Attributes
    ----------
    offer
        Which of the tools the model is told of.
    functions
        Names of all tools, also of those that it is not told of.
    form
        What ``response_format`` asks for.
    predicted
        The text of ``prediction``; empty where there is none.
    is_constrained
        Whether a grammar keeps the answer to what is asked, so that nothing is begun for it.

    Raises
    ------
    ArgumentError
        A value means nothing, or contradicts another.
    ArgumentTypeError
        A value has the wrong type.
    """

    tools: Sequence[Mapping[str, Any]] | None = None
    tool_choice: Choice = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: ReasoningEffort = "medium"
    reasoning_budget: int | None = None
    date: str | datetime.date | None = "today"
    instructions: str | None = None
    model_identity: str | None = None
    builtin_tools: Sequence[str | Mapping[str, Any]] | None = None
    response_format: Any = None
    continue_final_message: bool = False
    prediction: Any = None
    is_constrained: bool = False
    offer: Offer = field(init=False, compare=False)
    functions: frozenset[str] = field(init=False, compare=False)
    form: ResponseFormat | None = field(init=False, compare=False)
    predicted: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if self.reasoning_effort is None:
            self._set("reasoning_effort", "medium")
        one_of("reasoning_effort", self.reasoning_effort, ReasoningEffort)
        if self.reasoning_budget is not None:
            check_count("reasoning_budget", self.reasoning_budget, least=0)
        elif self.reasoning_effort == "none":
            self._set("reasoning_budget", 0)
        for name in ("instructions", "model_identity"):
            if not isinstance(getattr(self, name), str | None):
                raise ArgumentTypeError(f"{name}={getattr(self, name)!r} is not text")
        for name in ("parallel_tool_calls", "continue_final_message"):
            if not isinstance(getattr(self, name), bool | None):
                raise ArgumentTypeError(f"{name}={getattr(self, name)!r} is neither True nor False")
        builtin = self.builtin_tools or ()
        if isinstance(builtin, str | bytes | Mapping) or not isinstance(builtin, Sequence):
            raise ArgumentTypeError("builtin_tools is a list, such as ['browser', 'python']")
        tools = () if self.tools is None else self.tools
        self._set("offer", offer(tools, self.tool_choice))
        self._set("functions", frozenset(function_names(tools)))
        self._set("form", response_format_of(self.response_format))
        self._set("predicted", predicted_text(self.prediction))
        if self.continue_final_message and self.offer.is_required:
            raise ArgumentError(
                "continue_final_message goes on with a text, but tool_choice asks for a call; "
                "leave one of them out"
            )

    @property
    def known_effort(self) -> KnownEffort:
        """The effort that the model is told."""
        return _KNOWN[self.reasoning_effort]

    @classmethod
    def taken_from(cls, keywords: Mapping[str, Any]) -> tuple[ChatOptions, dict[str, Any]]:
        """Those among some keywords, and the other keywords."""
        names = {entry.name for entry in fields(cls) if entry.init} - {"is_constrained"}
        given = {name: value for name, value in keywords.items() if name in names}
        return cls(**given), {key: value for key, value in keywords.items() if key not in names}

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
