"""Answers as OpenAI's chat completions tell them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pyhades.llm.text.chat import ChatAnswer, ChatDelta, ToolCall
from pyhades.llm.text.outputs import TokenLogprob, Usage
from pyhades.server.errors import ApiError
from pyhades.server.protocol.chat_stream import ChoiceStream
from pyhades.server.protocol.face import DONE, Desk, Event


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
