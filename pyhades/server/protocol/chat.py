"""``/v1/chat/completions``."""

from __future__ import annotations

from typing import Any

import msgspec

from pyhades.llm.text.chat import ChatDelta
from pyhades.server.errors import ApiError
from pyhades.server.protocol.chat_face import ChatFace
from pyhades.server.protocol.face import Call, Desk, Endpoint, Sampling, checked_logprobs
from pyhades.server.turns import ChatTurn


class StreamOptions(msgspec.Struct):
    """What a stream has besides the answer."""

    include_usage: bool | None = None


class ChatBody(Sampling, kw_only=True):
    """A request; what is null has its default.

    The last group is not OpenAI's: see :meth:`pyhades.LLM.chat`.
    """

    messages: list[dict[str, Any]]
    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    reasoning_effort: str | None = None
    modalities: list[str] | None = None
    prediction: Any = None

    # Known, and without an effect on what this server does.
    metadata: Any = None
    prompt_cache_key: Any = None
    prompt_cache_options: Any = None
    prompt_cache_retention: Any = None
    safety_identifier: Any = None
    service_tier: Any = None
    store: Any = None
    user: Any = None
    verbosity: Any = None

    # Known, and refused: nobody should believe that it was obeyed.
    audio: Any = None
    functions: Any = None
    function_call: Any = None
    web_search_options: Any = None

    reasoning_budget: int | None = None
    continue_final_message: bool | None = None
    instructions: str | None = None
    model_identity: str | None = None
    date: str | None = "today"
    builtin_tools: list[Any] | None = None


_INSTEAD = {
    "audio": "this model reads and writes text",
    "functions": "use tools",
    "function_call": "use tool_choice",
    "web_search_options": "declare a function among tools, and answer its calls",
}


def understand(body: ChatBody, desk: Desk) -> Call[ChatDelta]:
    """From a request to what is asked, and how it is answered.

    Raises
    ------
    ApiError
        It asks for what there is not.
    """
    for name, instead in _INSTEAD.items():
        if getattr(body, name) is not None:
            raise ApiError(400, f"{name} is not known here; {instead}", "unsupported", name)
    if set(body.modalities or ()) - {"text"}:
        raise ApiError(400, "modalities: this model writes text", "unsupported", "modalities")
    options = {
        name: getattr(body, name)
        for name in (
            "tools", "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort",
            "reasoning_budget", "continue_final_message", "instructions", "model_identity", "date",
            "builtin_tools", "prediction",
        )
    }  # fmt: skip
    if body.continue_final_message is None:
        options["continue_final_message"] = False
    most = body.max_completion_tokens
    turn = ChatTurn(
        messages=desk.chains.completed(desk.client, body.messages),
        sampling=body.sampling(
            n=body.n, stop=body.stop, logprobs=_logprobs(body),
            max_tokens=body.max_tokens if most is None else most,
        ),
        options=options,
    )  # fmt: skip
    wants_usage = body.stream_options is not None and bool(body.stream_options.include_usage)
    face = ChatFace(desk, wants_usage=wants_usage, wants_logprobs=bool(body.logprobs))
    return Call(turn, face, bool(body.stream))


def _logprobs(body: ChatBody) -> int | None:
    if not body.logprobs:
        if body.top_logprobs:
            raise ApiError(400, "top_logprobs needs logprobs=true", "invalid_value", "top_logprobs")
        return None
    return checked_logprobs(body.top_logprobs or 0, "top_logprobs")


ENDPOINT = Endpoint("/v1/chat/completions", ChatBody, understand)
