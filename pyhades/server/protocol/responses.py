"""``/v1/responses``: what a request of it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pyhades.llm.text.chat import ChatDelta
from pyhades.server.errors import ApiError
from pyhades.server.protocol.face import Call, Desk, Endpoint, Sampling, checked_logprobs
from pyhades.server.protocol.responses_face import Asked, ResponsesFace
from pyhades.server.protocol.responses_input import items_of, messages_of
from pyhades.server.turns import ChatTurn


class Reasoning(msgspec.Struct):
    """How long the model thinks. There are no summaries: the reasoning itself is told."""

    effort: str | None = None
    summary: Any = None
    generate_summary: Any = None


class TextConfig(msgspec.Struct):
    """The form of the answer."""

    format: dict[str, Any] | None = None
    verbosity: Any = None


class ResponsesBody(Sampling, kw_only=True):
    """A request; what is null has its default."""

    input: str | list[dict[str, Any]]
    model: str | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    stream: bool | None = None
    store: bool | None = None
    background: bool | None = None
    max_output_tokens: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    text: TextConfig | None = None
    include: list[str] | None = None
    top_logprobs: int | None = None
    truncation: str | None = None
    metadata: dict[str, str] | None = None

    # Known, and without an effect on what this server does.
    client_metadata: Any = None
    max_tool_calls: Any = None
    prompt_cache_key: Any = None
    prompt_cache_options: Any = None
    prompt_cache_retention: Any = None
    safety_identifier: Any = None
    service_tier: Any = None
    stream_options: Any = None
    user: Any = None

    # Known, and refused: nobody should believe that it was obeyed.
    context_management: Any = None
    conversation: Any = None
    moderation: Any = None
    prompt: Any = None


_INSTEAD = {
    "context_management": "send what the model has to know as input",
    "conversation": "use previous_response_id",
    "moderation": "look at what is asked and answered yourself",
    "prompt": "send input and instructions",
}


def understand(body: ResponsesBody, desk: Desk) -> Call[ChatDelta]:
    """From a request to what is asked, and how it is answered.

    Raises
    ------
    ApiError
        It asks for what there is not.
    """
    _check(body)
    asked_items = items_of(body.input, desk)
    before = []
    if body.previous_response_id is not None:
        before = desk.stored.history(desk.client, body.previous_response_id)
    include = body.include or ()
    wants_logprobs = "message.output_text.logprobs" in include or bool(body.top_logprobs)
    logprobs = checked_logprobs(body.top_logprobs or 0, "top_logprobs") if wants_logprobs else None
    tools = [tool for tool in body.tools or () if tool.get("type") == "function"]
    choice = _choice(body)
    effort = body.reasoning.effort if body.reasoning else None
    turn = ChatTurn(
        messages=messages_of([*before, *asked_items], desk),
        sampling=body.sampling(max_tokens=body.max_output_tokens, logprobs=logprobs),
        options={
            "instructions": body.instructions, "tools": tools or None, "tool_choice": choice,
            "parallel_tool_calls": body.parallel_tool_calls, "reasoning_effort": effort,
            "response_format": body.text.format if body.text else None,
        },
    )  # fmt: skip
    face = ResponsesFace(
        desk,
        Asked(
            echo=_echo(body, tools, choice), items=asked_items, is_stored=body.store is not False,
            is_detached=bool(body.background), has_logprobs=wants_logprobs,
            is_sealed="reasoning.encrypted_content" in include,
        ),
    )  # fmt: skip
    return Call(turn, face, bool(body.stream), face.id if body.background else None)


def _check(body: ResponsesBody) -> None:
    for name, instead in _INSTEAD.items():
        if getattr(body, name) is not None:
            raise ApiError(400, f"{name} is not known here; {instead}", "unsupported", name)
    if body.truncation not in (None, "disabled"):
        raise ApiError(
            400, "truncation: nothing is left out of a conversation here; send less of it",
            "unsupported", "truncation",
        )  # fmt: skip
    if body.background and body.store is False:
        raise ApiError(
            400, "background needs store: nobody could ask for the response", "invalid_value",
            "background",
        )  # fmt: skip


def _choice(body: ResponsesBody) -> str | Mapping[str, Any] | None:
    """Which of the functions may be called; tools of other kinds cannot be asked for."""
    choice = body.tool_choice
    if not isinstance(choice, dict):
        return choice
    kind = choice.get("type")
    if kind == "allowed_tools":
        tools = choice.get("tools")
        if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
            raise ApiError(400, f"tool_choice.tools is {tools!r}, not a list of tools",
                           "invalid_value", "tool_choice.tools")  # fmt: skip
        named = [tool for tool in tools if tool.get("type") == "function"]
        if named or choice.get("mode") == "required":
            return {**choice, "tools": named}
        return "none"
    if kind != "function":
        raise ApiError(
            400, f"tool_choice asks for {kind!r}; this server knows functions only", "unsupported",
            "tool_choice",
        )  # fmt: skip
    return choice


def _echo(body: ResponsesBody, tools: list[dict[str, Any]], choice: Any) -> dict[str, Any]:
    """What a response repeats: as it was understood, so that it tells what was left out."""
    reasoning, text = body.reasoning or Reasoning(), body.text or TextConfig()
    repeated = {
        name: getattr(body, name)
        for name in (
            "instructions", "max_output_tokens", "max_tool_calls", "previous_response_id",
            "prompt_cache_key", "safety_identifier", "temperature", "top_p", "user",
        )
    }  # fmt: skip
    return {
        **repeated, "metadata": body.metadata or {}, "service_tier": "default",
        "parallel_tool_calls": bool(body.parallel_tool_calls), "tool_choice": choice or "auto",
        "tools": tools, "top_logprobs": body.top_logprobs or 0, "truncation": "disabled",
        "reasoning": {"effort": reasoning.effort, "summary": None},
        "text": {"format": text.format or {"type": "text"}, "verbosity": text.verbosity},
    }  # fmt: skip


ENDPOINT = Endpoint("/v1/responses", ResponsesBody, understand)
