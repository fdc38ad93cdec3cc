"""``/v1/chat/completions``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from pyhades.llm.text.chat import ChatAnswer, ChatDelta, ToolCall
from pyhades.llm.text.outputs import TokenLogprob, Usage
from pyhades.server.errors import ApiError
from pyhades.server.protocol.chat_stream import ChoiceStream
from pyhades.server.protocol.face import DONE, Call, Desk, Endpoint, Event, Sampling
from pyhades.server.turns import ChatTurn

MOST_LOGPROBS = 20


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


def checked_logprobs(count: int, param: str) -> int:
    """How many of the likeliest tokens are told of.

    Raises
    ------
    ApiError
        More than a client may ask for.
    """
    if not 0 <= count <= MOST_LOGPROBS:
        raise ApiError(400, f"{param}={count} is not 0 to {MOST_LOGPROBS}", "invalid_value", param)
    return count


class ChatFace:
    """The answers to one request, as chat completions.

    Parameters
    ----------
    desk
        Who asks, and under which name is answered.
    wants_usage
        Whether a stream tells how many tokens it took.
    wants_logprobs
        Whether the log-probabilities of tokens are told.
    """

    def __init__(self, desk: Desk, *, wants_usage: bool, wants_logprobs: bool) -> None:
        self._desk = desk
        self._wants_usage = wants_usage
        self._wants_logprobs = wants_logprobs
        self._id = f"chatcmpl-{desk.new_id()}"
        self._created = int(desk.now())
        self._pieces: list[ChatDelta] = []
        self._streams: dict[int, ChoiceStream] = {}

    def begin(self, prompt_tokens: int) -> list[Event]:
        """Nothing is told before something is said."""
        return []

    def push(self, piece: ChatDelta) -> list[Event]:
        """A chunk for what has come with a piece."""
        self._pieces.append(piece)
        stream = self._streams.get(piece.choice)
        if stream is None:
            stream = self._streams[piece.choice] = ChoiceStream(self._desk.new_id)
        events = [self._chunk(piece, delta) for delta in stream.deltas(piece)]
        if piece.finish_reason is not None:
            events.append(self._chunk(piece, {}, is_last=True))
        return events

    def finish(self) -> list[Event]:
        """How many tokens it took, where that is asked for, and the end."""
        answer = self._answer()
        if not self._wants_usage:
            return [DONE]
        last = {**self._head("chat.completion.chunk"), "choices": [],
                "usage": usage_of(answer.choices)}  # fmt: skip
        return [Event(last), DONE]

    def fail(self, error: ApiError) -> list[Event]:
        """An error in the stream, which clients raise."""
        return [Event(error.body()), DONE]

    def whole(self) -> dict[str, Any]:
        """All choices in one object."""
        answer = self._answer()
        return {
            **self._head("chat.completion"),
            "choices": [self._choice(index, each) for index, each in enumerate(answer.choices)],
            "usage": usage_of(answer.choices),
        }

    def _answer(self) -> ChatAnswer:
        """All choices; what was thought and written by those that call tools is remembered."""
        answer = ChatAnswer.collect(self._pieces)
        for index, each in enumerate(answer.choices):
            ids = [call.id for call in self._calls(index, each)]
            self._desk.chains.remember(self._desk.client, ids, each.reasoning, each.written)
        return answer

    def _calls(self, choice: int, answer: ChatAnswer) -> list[ToolCall]:
        """What an answer calls, by the ids that a stream has told."""
        ids = self._streams[choice].call_ids if answer.tool_calls else []
        return [replace(call, id=id) for call, id in zip(answer.tool_calls, ids, strict=True)]

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self._id, "object": kind, "created": self._created, "model": self._desk.model,
            "system_fingerprint": self._desk.fingerprint,
        }  # fmt: skip

    def _chunk(self, piece: ChatDelta, delta: dict[str, Any], *, is_last: bool = False) -> Event:
        choice = {
            "index": piece.choice, "delta": delta, "logprobs": None,
            "finish_reason": piece.finish_reason if is_last else None,
        }  # fmt: skip
        # Where a message begins, the tokens are those of its header.
        if self._wants_logprobs and delta.get("content") and piece.logprobs:
            choice["logprobs"] = self._logprobs(piece.logprobs)
        return Event({**self._head("chat.completion.chunk"), "choices": [choice]})

    def _choice(self, index: int, answer: ChatAnswer) -> dict[str, Any]:
        logprobs = self._logprobs(answer.logprobs) if self._wants_logprobs else None
        return {
            "index": index, "message": message_of(answer, self._calls(index, answer)),
            "logprobs": logprobs, "finish_reason": answer.finish_reason,
        }  # fmt: skip

    def _logprobs(self, logprobs: tuple[TokenLogprob, ...]) -> dict[str, Any]:
        def entry(token: int, logprob: float) -> dict[str, Any]:
            text, spelled = self._desk.spelled(token)
            return {"token": text, "bytes": spelled, "logprob": logprob}

        content = [
            {**entry(each.token, each.logprob), "top_logprobs": [entry(*top) for top in each.top]}
            for each in logprobs
        ]
        return {"content": content, "refusal": None}


def message_of(answer: ChatAnswer, calls: Sequence[ToolCall]) -> dict[str, Any]:
    """An answer as a message, with its reasoning under both names that clients know."""
    message: dict[str, Any] = {
        "role": "assistant", "content": answer.content, "refusal": None, "annotations": [],
    }  # fmt: skip
    if answer.reasoning:
        message["reasoning"] = message["reasoning_content"] = answer.reasoning
    if calls:
        message["content"] = answer.content or None
        message["tool_calls"] = [call.to_dict() for call in calls]
    return message


def usage_of(answers: tuple[ChatAnswer, ...]) -> dict[str, Any]:
    """What several answers to a prompt took together."""
    used = [answer.usage for answer in answers if answer.usage is not None] or [Usage(0, 0)]
    written = sum(usage.completion_tokens for usage in used)
    told = usage_dict(
        used[0].prompt_tokens, written, used[0].cached_tokens,
        sum(usage.reasoning_tokens for usage in used),
    )  # fmt: skip
    told["completion_tokens_details"] |= {
        "accepted_prediction_tokens": sum(usage.accepted_prediction_tokens for usage in used),
        "rejected_prediction_tokens": sum(usage.rejected_prediction_tokens for usage in used),
    }
    return told


def usage_dict(prompt: int, written: int, cached: int, reasoning: int = 0) -> dict[str, Any]:
    """Tokens, as completions tell them; nothing of them was predicted."""
    return {
        "prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0,
                                  "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning, "audio_tokens": 0, "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }  # fmt: skip


ENDPOINT = Endpoint("/v1/chat/completions", ChatBody, understand)
