"""``/api/chat`` and ``/api/generate`` of ollama."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pyhades.server.errors import ApiError
from pyhades.server.protocol.face import Call, Desk, Endpoint, checked_logprobs
from pyhades.server.protocol.ollama_face import OllamaFace, error_body
from pyhades.server.turns import ChatTurn, NoTurn, TextTurn, Turn


class Options(msgspec.Struct):
    """What a model is run with; what is not here is about loading it, and has no effect."""

    num_predict: int | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    repeat_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None

    # Known, and refused: nobody should believe that it was obeyed.
    mirostat: int | None = None
    tfs_z: float | None = None
    typical_p: float | None = None


_NEUTRAL = {"mirostat": 0, "tfs_z": 1, "typical_p": 1}


class Body(msgspec.Struct, kw_only=True):
    """What both requests have; what is null has its default."""

    model: str
    stream: bool | None = None
    think: bool | str | None = None
    format: str | dict[str, Any] | None = None
    options: Options | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None

    # Known, and without an effect: the model stays where it is.
    keep_alive: Any = None


class ChatBody(Body, kw_only=True):
    """A request of ``/api/chat``."""

    messages: list[dict[str, Any]] | None = None
    tools: list[dict[str, Any]] | None = None


class GenerateBody(Body, kw_only=True):
    """A request of ``/api/generate``."""

    prompt: str | None = None
    system: str | None = None
    raw: bool | None = None

    # Known, and refused.
    context: Any = None
    images: Any = None
    suffix: Any = None
    template: Any = None


_INSTEAD = {
    "context": "send the conversation to /api/chat",
    "images": "this model reads text only",
    "suffix": "this model continues texts only",
    "template": "use raw, with a prompt as the model reads it",
}


def understand_chat(body: ChatBody, desk: Desk) -> Call[Any]:
    """From a request to what is asked, and how it is answered.

    Raises
    ------
    ApiError
        It asks for what there is not.
    """
    messages = [
        _message(message, f"messages[{n}]") for n, message in enumerate(body.messages or ())
    ]
    messages = _numbered(messages)
    turn = _chat(body, desk.chains.completed(desk.client, messages), body.tools)
    return _call(body, desk, turn if messages else NoTurn(), is_chat=True)


def understand_generate(body: GenerateBody, desk: Desk) -> Call[Any]:
    """As :func:`understand_chat`; a prompt that is not raw is one message."""
    for name, instead in _INSTEAD.items():
        if getattr(body, name):
            raise ApiError(400, f"{name} is not known here; {instead}", "unsupported", name)
    if not body.prompt:
        return _call(body, desk, NoTurn(), is_chat=False)
    if body.raw:
        turn: Turn = TextTurn(prompts=body.prompt, sampling=_sampling(body))
    else:
        system = [{"role": "system", "content": body.system}] if body.system else []
        turn = _chat(body, [*system, {"role": "user", "content": body.prompt}], None)
    return _call(body, desk, turn, is_chat=False)


def _chat(body: Body, messages: Sequence[Mapping[str, Any]], tools: Any) -> ChatTurn:
    # Efforts by name, and a yes or no, of which no is as good as the format allows.
    effort = body.think if isinstance(body.think, str) else None
    if body.think is False:
        effort = "none"
    options = {"tools": tools or None, "reasoning_effort": effort, "response_format": _form(body)}
    return ChatTurn(messages=messages, sampling=_sampling(body), options=options)


def _call(body: Body, desk: Desk, turn: Turn, *, is_chat: bool) -> Call[Any]:
    face = OllamaFace(
        desk, body.model, is_chat=is_chat, thinks=body.think is not False,
        has_logprobs=bool(body.logprobs),
    )  # fmt: skip
    return Call(turn, face, body.stream is not False)


def _sampling(body: Body) -> dict[str, Any]:
    given = body.options or Options()
    for name, neutral in _NEUTRAL.items():
        if getattr(given, name) not in (None, neutral):
            raise ApiError(400, f"options.{name} is not known here; use top_k, top_p or min_p",
                           "unsupported", name)  # fmt: skip
    names = ("temperature", "top_k", "top_p", "min_p", "stop", "presence_penalty",
             "frequency_penalty")  # fmt: skip
    fields = {name: getattr(given, name) for name in names}
    most = given.num_predict
    logprobs = checked_logprobs(body.top_logprobs or 0, "top_logprobs") if body.logprobs else None
    return {
        **fields, "repetition_penalty": given.repeat_penalty, "logprobs": logprobs,
        "max_tokens": None if most is not None and most < 0 else most,
        "seed": None if given.seed is None else given.seed & (2**64 - 1),
    }  # fmt: skip


def _form(body: Body) -> dict[str, Any] | None:
    if not body.format:
        return None
    if body.format == "json":
        return {"type": "json_object"}
    if isinstance(body.format, str):
        raise ApiError(400, f"format={body.format!r} is not 'json' or a JSON schema",
                       "invalid_value", "format")  # fmt: skip
    return {"type": "json_schema", "schema": body.format}


def _message(message: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A message as it is known elsewhere: the name of a tool is under another key."""
    if message.get("images"):
        raise ApiError(400, f"{where}.images: this model reads text only", "invalid_value", where)
    known = {name: value for name, value in message.items() if name not in ("images", "tool_name")}
    if message.get("role") == "tool" and message.get("tool_name"):
        known["name"] = message["tool_name"]
    return known


def _numbered(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Calls without ids, which results follow in order, with ids of their own."""
    waiting: list[str] = []
    numbered = []
    for number, message in enumerate(messages):
        calls = message.get("tool_calls")
        if isinstance(calls, list):
            named = [
                {"id": f"call_{number}_{place}", **call} if isinstance(call, Mapping) else call
                for place, call in enumerate(calls)
            ]
            message = {**message, "tool_calls": named}
            waiting = [str(call["id"]) for call in named if isinstance(call, Mapping)]
        elif message.get("role") == "tool" and not message.get("tool_call_id") and waiting:
            message = {**message, "tool_call_id": waiting.pop(0)}
        numbered.append(message)
    return numbered


CHAT = Endpoint("/api/chat", ChatBody, understand_chat, "ndjson", error_body)
GENERATE = Endpoint("/api/generate", GenerateBody, understand_generate, "ndjson", error_body)
