"""``/v1/messages`` of Anthropic's API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pyhades.llm.text.chat import ChatDelta
from pyhades.server.errors import ApiError
from pyhades.server.protocol.anthropic_face import AnthropicFace, Thinking, error_body
from pyhades.server.protocol.anthropic_input import conversation_of
from pyhades.server.protocol.face import Call, Desk, Endpoint
from pyhades.server.turns import ChatTurn


class ThinkingConfig(msgspec.Struct):
    """Whether the client is told what the model thinks, and for how long it may."""

    type: str
    budget_tokens: int | None = None
    display: str | None = None


class OutputConfig(msgspec.Struct):
    """How hard the model thinks, and the form of the answer."""

    effort: str | None = None
    format: dict[str, Any] | None = None


class MessagesBody(msgspec.Struct, kw_only=True):
    """A request; what is null has its default."""

    messages: list[dict[str, Any]]
    model: str | None = None
    max_tokens: int | None = None
    system: str | list[dict[str, Any]] | None = None
    stream: bool | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: dict[str, Any] | None = None
    thinking: ThinkingConfig | None = None
    output_config: OutputConfig | None = None

    # Known, and without an effect on what this server does.
    cache_control: Any = None
    context_management: Any = None
    metadata: Any = None
    service_tier: Any = None

    # Known, and refused: nobody should believe that it was obeyed.
    container: Any = None
    mcp_servers: Any = None


_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def understand(body: MessagesBody, desk: Desk) -> Call[ChatDelta]:
    """From a request to what is asked, and how it is answered.

    Raises
    ------
    ApiError
        It asks for what there is not.
    """
    for name in ("container", "mcp_servers"):
        if getattr(body, name):
            raise ApiError(400, f"{name} is not known here; leave it out", "unsupported", name)
    tools = [tool for tool in body.tools or () if tool.get("type") in (None, "custom")]
    thinking, options = _thinking(body.thinking)
    output = body.output_config or OutputConfig()
    if output.effort is not None:
        options.setdefault("reasoning_effort", output.effort)
    parallel = (body.tool_choice or {}).get("disable_parallel_tool_use")
    is_begun = bool(body.messages) and body.messages[-1].get("role") == "assistant"
    turn = ChatTurn(
        messages=conversation_of(body.system, body.messages, desk),
        sampling={
            "max_tokens": body.max_tokens, "stop": body.stop_sequences, "top_k": body.top_k,
            "temperature": body.temperature, "top_p": body.top_p,
        },
        options={
            **options, "tools": [_function(tool) for tool in tools] or None,
            "tool_choice": _choice(body.tool_choice), "response_format": output.format,
            "parallel_tool_calls": False if parallel else None, "continue_final_message": is_begun,
        },
    )  # fmt: skip
    face = AnthropicFace(desk, thinking, body.stop_sequences or ())
    return Call(turn, face, bool(body.stream))


def counted(tokens: int) -> dict[str, int]:
    """How long a prompt is."""
    return {"input_tokens": tokens}


def _function(tool: Mapping[str, Any]) -> dict[str, Any]:
    names = {"name": "name", "description": "description", "input_schema": "parameters",
             "strict": "strict"}  # fmt: skip
    function = {ours: tool[theirs] for theirs, ours in names.items() if theirs in tool}
    return {"type": "function", **function}


def _choice(given: Mapping[str, Any] | None) -> str | dict[str, Any] | None:
    if given is None:
        return None
    kind = given.get("type")
    if kind == "tool":
        return {"type": "function", "name": given.get("name")}
    if not isinstance(kind, str) or kind not in _CHOICES:
        known = ", ".join([*_CHOICES, "tool"])
        raise ApiError(400, f"tool_choice has type {kind!r}; known are {known}", "invalid_value",
                       "tool_choice")  # fmt: skip
    return _CHOICES[kind]


def _thinking(config: ThinkingConfig | None) -> tuple[Thinking, dict[str, Any]]:
    """Whether thinking is told, and what the model is told of it.

    Who says nothing of it is not told, as clients look for the answer in the first block; the model
    thinks nevertheless, as it was trained to.
    """
    if config is None:
        return "hidden", {}
    if config.type == "disabled":
        return "hidden", {"reasoning_effort": "none"}
    if config.type not in ("enabled", "adaptive"):
        raise ApiError(
            400, f"thinking has type {config.type!r}; known are enabled, adaptive and disabled",
            "invalid_value", "thinking",
        )  # fmt: skip
    budget = {} if config.budget_tokens is None else {"reasoning_budget": config.budget_tokens}
    return "omitted" if config.display == "omitted" else "shown", budget


ENDPOINT = Endpoint("/v1/messages", MessagesBody, understand, error=error_body)
